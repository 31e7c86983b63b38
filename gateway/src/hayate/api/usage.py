"""What was used, and the calls that make it up: a caller's own, or everybody's for the operator."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from time import time
from typing import Any, Final, get_args

from pydantic import BaseModel
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from hayate.api.bodies import LIMIT, PAGE, json_answer, whole_of
from hayate.api.gateway import Gateway
from hayate.api.in_flight import Running
from hayate.api.operations import described
from hayate.errors import InvalidRequest, RateLimited, StoreGone, UnknownCall
from hayate.store.contents import with_content
from hayate.store.costs import Prices
from hayate.store.groups import By
from hayate.store.usage import Filter, Kept, Used, key_names, recent, used
from hayate.store.views import UsageAnswer, usage_answer
from hayate.telemetry.record import CallRecord
from hayate.wire.durations import moment_of

DEFAULT_SINCE: Final = "7d"
MAX_CALLS: Final = 1000
MAX_ID_BYTES: Final = 200
"""Of an id that is told back."""
GROUPS: Final[tuple[By, ...]] = get_args(By)
_WHEN: Final = {"type": "string", "description": "A time in ISO 8601, or how long ago: 90d, 12h, 30m."}
_FILTERS: Final[dict[str, dict[str, Any]]] = {
    "since": {**_WHEN, "default": DEFAULT_SINCE},
    "until": _WHEN,
    **{name: {"type": "string"} for name in ("key", "project", "model", "deployment", "error")},
    "status": {"type": "integer", "minimum": 200, "maximum": 999},
}
"""What `_filter` reads, as JSON Schema."""
_GROUPED: Final = {"by": {"enum": [*GROUPS], "default": "day"}, **_FILTERS}
_PAGED: Final = {**_FILTERS, "before": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}, "limit": LIMIT}


class CallAnswer(BaseModel):
    """One call that has ended."""

    id: str
    ended_at: datetime
    request_id: str
    key: str
    project: str
    path: str
    model: str
    deployment: str
    replica: str
    attempts: int
    status: int
    error: str | None
    finish_reason: str | None
    stream: bool
    queued_ms: int
    ttft_ms: int | None
    total_ms: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    tokens_exact: bool
    content: bool
    """Whether prompt and answer are kept: GET /admin/calls/{id}/content."""


class RunningAnswer(BaseModel):
    """One call under way. `id` stops it, and it alone: two callers may have chosen the same request id."""

    id: str
    request_id: str
    key: str
    project: str
    path: str
    model: str
    deployment: str
    replica: str
    stream: bool
    running_ms: int


class CallsAnswer(BaseModel):
    """Calls under way (on the first page, the oldest first; `in_flight_count` is how many there are, and more than MAX_CALLS
    are not listed), and those that have ended, the latest first.
    """

    in_flight: list[RunningAnswer]
    in_flight_count: int
    data: list[CallAnswer]
    has_more: bool


class StoppedAnswer(BaseModel):
    """The id of the call that was stopped."""

    stopped: str


@described("What the key that asks has used.", UsageAnswer, errors=(RateLimited, StoreGone), query=_GROUPED)
async def own_usage(request: Request, gateway: Gateway) -> Response:
    """GET /v1/usage?by=…&since=…: of the key that asks, once at a time: the record may have to be read a million rows deep."""
    key, which = request.state.principal.id, _filter(request)
    if key in gateway.adding_up:
        raise RateLimited(
            "This key's usage is being added up already. Try again when that has been answered.",
            "このAPIキーの利用量は集計中です。その応答を待ってから、もう一度お試しください。",
            retry_after_s=1,
        )
    gateway.adding_up.add(key)
    try:
        return await _usage(request, gateway, replace(which, key=key))
    finally:
        gateway.adding_up.discard(key)


@described("What everybody has used.", UsageAnswer, errors=(StoreGone,), query=_GROUPED)
async def all_usage(request: Request, gateway: Gateway) -> Response:
    """GET /admin/usage?by=…&since=…&key=…&project=…&model=…&deployment=…"""
    return await _usage(request, gateway, _filter(request))


@described(
    "Calls under way, and those that have ended, the latest first.", CallsAnswer, errors=(StoreGone,), query=_PAGED
)
async def list_calls(request: Request, gateway: Gateway) -> Response:
    """GET /admin/calls?before=…&limit=…, and the filters of usage, `status` and `error`, for calls under way too."""
    which, limit = _filter(request), whole_of(request, "limit", PAGE, MAX_CALLS)
    before = request.query_params.get("before")
    last = None if before is None else whole_of(request, "before", 1, 2**63 - 1)
    gateway.calls.flush()
    found, kept = await gateway.store.read(lambda c: _recent(c, which, last, limit + 1))
    now = gateway.relay.now()
    running = [] if before is not None else [each for each in gateway.in_flight if _is_meant(each.record, which)]
    return json_answer(
        CallsAnswer(
            in_flight=[_running(each, now) for each in running[:MAX_CALLS]],
            in_flight_count=len(running),
            data=[_call(each, content=each.id in kept) for each in found[:limit]],
            has_more=len(found) > limit,
        )
    )


@described("Ends a call under way.", StoppedAnswer, errors=(UnknownCall,), path={"call": "The call's id."})
async def stop_call(request: Request, gateway: Gateway) -> Response:
    """DELETE /admin/calls/{id}: ends a call that is under way. Raises UnknownCall."""
    wanted = request.path_params["call"]
    if not gateway.in_flight.stop(wanted):
        shown = wanted[:MAX_ID_BYTES]
        raise UnknownCall(
            f"No call with the id {shown!r} is under way. GET /admin/calls lists those that are.",
            f"ID {shown!r} の呼び出しは実行されていません。実行中の一覧は `GET /admin/calls` で確認できます。",
        )
    return json_answer(StoppedAnswer(stopped=wanted))


async def _usage(request: Request, gateway: Gateway, which: Filter) -> Response:
    by = next((each for each in GROUPS if each == request.query_params.get("by", "day")), None)
    if by is None:
        raise InvalidRequest(
            f"'by' must be one of {', '.join(GROUPS)}.",
            f"'by' は {'、'.join(GROUPS)} のいずれかにしてください。",
            param="by",
        )
    gateway.calls.flush()
    prices = gateway.settings.prices
    found, labels = await gateway.store.read(lambda c: _labelled(c, by, which, prices))
    span = which.since or 0.0, which.until or time()
    return json_answer(usage_answer(by, span, found, prices.currency, labels))


def _labelled(connection: Connection, by: By, which: Filter, prices: Prices) -> tuple[list[Used], dict[str, str]]:
    found = used(connection, by, which, prices=prices.by_name)
    return found, key_names(connection, found) if by == "key" else {}


def _filter(request: Request) -> Filter:
    query = request.query_params
    if query.get("key", "").startswith("sk-"):
        raise InvalidRequest(
            "'key' is the id of a key (GET /admin/keys lists them); a key itself does not belong in a URL.",
            "'key' にはAPIキーのIDを指定してください（一覧は `GET /admin/keys`）。APIキーそのものはURLに書かないでください。",
            param="key",
        )
    return Filter(
        since=_moment("since", query.get("since", DEFAULT_SINCE)),
        until=_moment("until", query["until"]) if "until" in query else None,
        key=query.get("key"),
        project=query.get("project"),
        model=query.get("model"),
        deployment=query.get("deployment"),
        error=query.get("error"),
        status=None if "status" not in query else whole_of(request, "status", 200, 999),
    )


def _moment(name: str, text: str) -> float:
    found = moment_of(text, time(), ago=True)
    if found is None:
        raise InvalidRequest(
            f"'{name}' must be a time such as 2026-12-31T18:00:00Z, or how long ago: 90d, 12h, 30m.",
            f"'{name}' は「2026-12-31T18:00:00Z」のような日時、または「90d」「12h」「30m」のような長さにしてください。",
            param=name,
        )
    return found


def _recent(connection: Connection, which: Filter, before: int | None, limit: int) -> tuple[list[Kept], set[int]]:
    """The latest calls, and of which of them prompt and answer are kept."""
    found = recent(connection, which, before=before, limit=limit)
    return found, with_content(connection, [each.id for each in found], time())


def _call(kept: Kept, *, content: bool) -> CallAnswer:
    return CallAnswer(
        id=str(kept.id),
        ended_at=_at(kept.ended_at),
        request_id=kept.request_id,
        key=kept.key,
        project=kept.project,
        path=kept.path,
        model=kept.model,
        deployment=kept.deployment,
        replica=kept.replica,
        attempts=kept.attempts,
        status=kept.status,
        error=kept.error or None,
        finish_reason=kept.finish or None,
        stream=kept.stream,
        queued_ms=kept.queued_ms,
        ttft_ms=kept.ttft_ms,
        total_ms=kept.total_ms,
        input_tokens=kept.tokens_in,
        cached_tokens=kept.tokens_cached,
        output_tokens=kept.tokens_out,
        tokens_exact=kept.exact,
        content=content,
    )


def _is_meant(record: CallRecord, which: Filter) -> bool:
    """Whether a call under way, which has no end, status or error yet, is one of those."""
    wanted = (which.key, which.project, which.model, which.deployment)
    said = (record.key, record.project, record.model, record.deployment)
    ended = (which.until, which.status, which.error)
    return ended == (None, None, None) and all(a is None or a == b for a, b in zip(wanted, said, strict=True))


def _running(running: Running, now: float) -> RunningAnswer:
    record = running.record
    return RunningAnswer(
        id=running.id,
        request_id=record.request_id,
        key=record.key,
        project=record.project,
        path=record.endpoint,
        model=record.model,
        deployment=record.deployment,
        replica=record.replica,
        stream=record.stream,
        running_ms=int((now - record.started) * 1000),
    )


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
