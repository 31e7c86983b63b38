"""Every path that the gateway serves, with its methods, its guard and its handler: the whole table on one screen.

The paths that calls take (`call`) are served past all middlewares; the rest (`plain`) by Starlette. Both ask the guard
first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hayate.access.guards import (
    OPERATORS,
    Guard,
    anyone,
    callers,
    keepers,
    operators,
    operators_changing,
    operators_key,
    users,
    watchers,
)
from hayate.api import admin, contents, engines, health, keys, page, queue, responses, session, status, usage
from hayate.api import conversation_copies as copies
from hayate.api import conversation_exports as exports
from hayate.api import conversation_items as items
from hayate.api import conversations as talks
from hayate.api import operator_session as operator
from hayate.api.call_endpoint import CallEndpoint, CallGuard, Handle
from hayate.api.call_operations import call_operation
from hayate.api.engine_log import show_log
from hayate.api.gateway import Gateway
from hayate.api.generate import generate_stream, show_head
from hayate.api.openai import create_completion
from hayate.api.openapi import Documented, shown
from hayate.api.operations import Described, Operation
from hayate.api.passthrough import pass_through
from hayate.api.recent_log import show_recent_log
from hayate.api.running_config import show_config
from hayate.api.series import show_series
from hayate.downstream.stream import ClientGone
from hayate.errors import CLIENT_CLOSED
from hayate.wire.error_bodies import ANTHROPIC, GENERATE, OPENAI, RESPONSES, Dialect
from hayate.wire.paths import PASSTHROUGH, canonical


class Row(NamedTuple):
    """One path. `call` is its endpoint where calls take it; `tells` says of each method what it does (`api.operations`)."""

    path: str
    methods: tuple[str, ...]
    guard: Guard | CallGuard
    route: Route
    tells: Callable[[str], Operation]
    call: CallEndpoint | None = None


def call(path: str, methods: str, guard: CallGuard, handle: Handle, name: str, dialect: Dialect = OPENAI) -> Row:
    """A path that calls take. `name` is its endpoint in logs and metrics, `dialect` tells its errors."""
    endpoint = CallEndpoint(name, handle, guard, dialect)
    route = Route(path, endpoint, methods=methods.split())
    # Starlette adds HEAD to every GET; an answer without a body is not worth a GPU.
    (route.methods or set()).discard("HEAD")
    return Row(path, tuple(methods.split()), guard, route, partial(call_operation, path), endpoint)


def plain(path: str, methods: str, guard: Guard, handler: Described) -> Row:
    """Any other path. What its guard or its handler raises becomes an answer in `serve.app`."""

    async def guarded(request: Request) -> Response:
        gateway: Gateway = request.scope["state"]["gateway"]
        request.state.principal = guard(gateway.auth, request.scope["headers"], None)
        try:
            return await handler(request, gateway)
        except ClientGone:
            return Response(status_code=CLIENT_CLOSED)  # for the log alone

    route = Route(path, guarded, methods=methods.split())
    return Row(path, tuple(methods.split()), guard, route, lambda _: handler.operation)


def documented() -> Iterator[Documented]:
    """The table as the document of the surface is made of it."""
    for row in ROUTES:
        dialect = OPENAI if row.call is None else row.call.dialect
        yield Documented(row.path, row.guard, {method: row.tells(method) for method in row.methods}, dialect)


DIALECTS: Final[dict[str, Dialect]] = {
    "/v1/messages": ANTHROPIC,
    "/v1/messages/count_tokens": ANTHROPIC,
    "/v1/responses": RESPONSES,
}
"""Of passed-through paths; OpenAI's where none is named."""

ROUTES: Final = (
    # Calls.
    call("/v1/chat/completions", "POST", callers, create_completion("chat"), "chat"),
    call("/v1/completions", "POST", callers, create_completion("text"), "completions"),
    call("/generate_stream", "GET POST", callers, generate_stream, "generate", GENERATE),
    plain("/generate_stream", "HEAD", callers, show_head),
    *(
        call(
            path, "POST", callers, pass_through(path), path.removeprefix("/v1/").strip("/"), DIALECTS.get(path, OPENAI)
        )
        for path in sorted(PASSTHROUGH)
    ),
    # What is kept of them.
    plain("/v1/conversations", "POST", keepers, talks.create_conversation),
    plain("/v1/conversations", "GET", keepers, talks.list_conversations),
    plain("/v1/conversations", "DELETE", keepers, talks.delete_conversations),
    plain("/v1/conversations/export", "GET", keepers, exports.export_conversations),
    plain("/v1/conversations/import", "POST", keepers, copies.import_conversation),
    plain("/v1/conversations/{conversation}", "GET", keepers, talks.show_conversation),
    plain("/v1/conversations/{conversation}", "POST", keepers, talks.update_conversation),
    plain("/v1/conversations/{conversation}", "DELETE", keepers, talks.delete_conversation),
    plain("/v1/conversations/{conversation}/items", "GET", keepers, items.list_items),
    plain("/v1/conversations/{conversation}/items", "POST", keepers, items.add_items),
    plain("/v1/conversations/{conversation}/items/{item}", "GET", keepers, items.show_item),
    plain("/v1/conversations/{conversation}/items/{item}", "DELETE", keepers, items.delete_item),
    plain("/v1/conversations/{conversation}/export", "GET", keepers, exports.export_conversation),
    plain("/v1/conversations/{conversation}/branch", "POST", keepers, copies.branch_conversation),
    plain("/v1/responses/compact", "POST", keepers, responses.compact_response),
    plain("/v1/responses/input_tokens", "POST", keepers, responses.count_input_tokens),
    plain("/v1/responses/{response}", "GET", keepers, responses.show_response),
    plain("/v1/responses/{response}", "DELETE", keepers, responses.delete_response),
    plain("/v1/responses/{response}/cancel", "POST", keepers, responses.cancel_response),
    plain("/v1/responses/{response}/input_items", "GET", keepers, responses.list_input_items),
    # What there is, and how it does.
    plain("/v1/models", "GET", callers, health.list_models),
    plain("/v1/models/{model:path}", "GET", callers, health.show_model),
    plain("/v1/usage", "GET", users, usage.own_usage),
    plain("/openapi.json", "GET", anyone, shown(documented)),
    plain("/metrics", "GET", watchers, health.metrics),
    plain("/health", "GET", anyone, health.live),
    plain("/health/liveliness", "GET", anyone, health.live),
    plain("/health/liveness", "GET", anyone, health.live),
    plain("/livez", "GET", anyone, health.live),
    plain("/health/readiness", "GET", anyone, health.ready),
    plain("/readyz", "GET", anyone, health.ready),
    # The page and its sign-in.
    plain("/", "GET", anyone, page.show),
    plain("/static/{path:path}", "GET", anyone, page.show),
    plain("/session", "POST", anyone, session.sign_in),
    plain("/session", "GET", anyone, session.show_session),
    plain("/session", "DELETE", anyone, session.sign_out),
    # The operator.
    plain("/admin/session", "POST", anyone, operator.sign_in),
    plain("/admin/session", "GET", anyone, operator.show_session),
    plain("/admin/session", "DELETE", anyone, operator.sign_out),
    plain("/admin/reload", "POST", operators_changing, admin.reload),
    plain("/admin/deployments", "GET", operators, admin.list_deployments),
    plain("/admin/status", "GET", operators, status.show_status),
    plain("/admin/config", "GET", operators, show_config),
    plain("/admin/log", "GET", operators, show_recent_log),
    plain("/admin/queue", "GET", operators, queue.show_queue),
    plain("/admin/series", "GET", operators, show_series),
    plain("/admin/engines", "GET", operators, engines.list_engines),
    plain("/admin/engines/{engine:path}/load", "POST", operators_changing, engines.load_engine),
    plain("/admin/engines/{engine:path}/unload", "POST", operators_changing, engines.unload_engine),
    plain("/admin/engines/{engine:path}/log", "GET", operators, show_log),
    plain("/admin/keys", "GET", operators, keys.list_keys),
    plain("/admin/keys", "POST", operators_changing, keys.create_key),
    plain("/admin/keys/{key}", "GET", operators, keys.show_key),
    plain("/admin/keys/{key}", "PATCH", operators_changing, keys.update_key),
    plain("/admin/keys/{key}", "DELETE", operators_changing, keys.revoke_key),
    plain("/admin/keys/{key}/rotate", "POST", operators_changing, keys.rotate_key),
    plain("/admin/usage", "GET", operators, usage.all_usage),
    plain("/admin/calls", "GET", operators, usage.list_calls),
    plain("/admin/calls/{call}/content", "GET", operators, contents.show_content),
    plain("/admin/calls/{call:path}", "DELETE", operators_changing, usage.stop_call),
    # The operator's too, where llama-swap has them.
    plain("/running", "GET", operators_key, engines.list_running),
    plain("/unload", "GET POST", operators_key, engines.unload_all),
    plain("/api/models/unload", "POST", operators_key, engines.unload_models),
    plain("/api/models/unload/{model}", "POST", operators_key, engines.unload_model),
)
SERVER: Final = "*"
"""In place of a path, where OPTIONS ask about the server as a whole (RFC 9110, 9.3.7)."""
_OPERATORS: Final = (b"/admin/", b"/running", b"/unload", b"/api/models/unload")
"""What every path of the operator's begins with, and no other's."""


def path_of(raw: bytes) -> str:
    """The path that is meant by one as it came (`wire.paths.canonical`).

    The operator's have one spelling, the table's: a proxy that hides them by it must have hidden them. Only the name of a
    key or an engine, and the id of a call, may be escaped.
    """
    if raw == SERVER.encode():
        return SERVER
    path = canonical(raw)
    found = path.decode("utf-8", "replace")
    if not path.startswith(_OPERATORS) or raw == path or _is_named_as_in_the_table(raw):
        return found
    return raw.decode("latin-1")


def _is_named_as_in_the_table(raw: bytes) -> bool:
    """Whether a path of the operator's is spelled as a row of the table is, but for the name in its place."""
    parts = raw.decode("latin-1").split("/")
    return all(parts[1:]) and any(_is_of(row.path.split("/"), parts) for row in ROUTES if row.guard in OPERATORS)


def _is_of(row: list[str], parts: list[str]) -> bool:
    named = next((at for at, each in enumerate(row) if each.endswith(":path}")), None)
    if named is not None:  # a name that may hold slashes stands for as many parts as are left for it
        behind = len(row) - named - 1
        row, parts = row[:named] + row[named + 1 :], parts[:named] + parts[max(named + 1, len(parts) - behind) :]
    elif any("%2f" in part.lower() for part in parts):  # a slash in a name would make another path of it
        return False
    return len(row) == len(parts) and all(a == b or a.startswith("{") for a, b in zip(row, parts, strict=True))


def methods_of(path: str) -> list[str]:
    """What may be asked of a path of the table, or of the server; nothing where there is no such path."""
    rows = [row for row in ROUTES if path == SERVER or row.route.path_regex.match(path)]
    found = {method for row in rows for method in row.route.methods or ()}
    return sorted(found | {"OPTIONS"}) if found else []
