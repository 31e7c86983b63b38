"""A call that names a conversation, or a response to go on from, or is to be kept as one: what it wants of the history."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

from hayate.access.grants import Grant
from hayate.access.guards import require
from hayate.api.gateway import Gateway
from hayate.api.leave import put_system
from hayate.downstream.client import Client
from hayate.downstream.remembering import RememberingClient
from hayate.errors import InvalidRequest
from hayate.history.dialects import OF_PATH, Dialect
from hayate.history.fitting_calls import Fields
from hayate.history.remembered import Remembered
from hayate.history.wanted import Engines, Wanted
from hayate.telemetry.record import CallRecord
from hayate.wire.conversation_field import FIELD, HEADER, Named, named, truncates
from hayate.wire.engine_json import write
from hayate.wire.history_ids import is_response_id, nothing_is_kept, unknown_response
from hayate.wire.paths import RESPONSES
from hayate.wire.refusals import wrong
from hayate.wire.retold_response import Retold

Remembers = Callable[[Gateway, Client, CallRecord, Grant, Fields], RememberingClient | None]
"""What a path makes of a call that may name a conversation."""
PREVIOUS: Final = "previous_response_id"


def remember(
    dialect: Dialect, gateway: Gateway, client: Client, record: CallRecord, grant: Grant, fields: Fields
) -> RememberingClient | None:
    """The client's side of a call that names a conversation, which is taken out of its fields; None where it names none. Raises
    NotAllowed, NotSupported, InvalidRequest, UnknownConversation.
    """
    found = _named(gateway, client, grant, fields)
    if found is None:
        return None
    if fields.get("n") not in (None, 1):
        raise InvalidRequest(
            "'n' must be 1 in a conversation: it goes on with one answer.",
            "'n' は会話では1にしてください（続きの回答は1つだけです）。",
            param="n",
        )
    wanted = Wanted(grant.principal.project, dialect, gateway.settings.history, found, truncates=found.truncates)
    return RememberingClient(client, Remembered(gateway.history, wanted, record))


def remember_response(
    gateway: Gateway, client: Client, record: CallRecord, grant: Grant, fields: Fields
) -> RememberingClient | None:
    """The same of a call for a response, which may name a response to go on from, too, and is kept if it or its key says so, or
    nobody says anything; its fields say nothing of all that any more: engines keep nothing. Raises UnknownResponse, too.
    """
    history, principal = gateway.settings.history, grant.principal
    found, previous, store = _named(gateway, client, grant, fields), fields.pop(PREVIOUS, None), fields.get("store")
    fields["store"] = False
    if store is not None and not isinstance(store, bool):
        raise wrong("store", "true or false", "trueかfalse")
    if previous is not None:
        _check_previous(previous, found)
    state = found is not None or previous is not None
    must = state or bool(store)
    if must:
        if not history.enabled:
            raise nothing_is_kept()
        require(principal, "history")
    if store is None and history.enabled and "history" in principal.terms.areas:
        default = principal.terms.defaults.store
        store = history.responses_store_default if default is None else default
    if not state and not store:
        return None
    response_id = f"resp_{secrets.token_hex(16)}" if store else None
    wanted = Wanted(
        principal.project,
        OF_PATH[RESPONSES],
        history,
        found,
        previous,
        keeps=found is not None or response_id is not None,
        response_id=response_id,
        truncates=truncates(fields.get("truncation"), "truncation") and (found is None or found.truncates),
        state=state,
        must=must,
    )
    turn = Remembered(gateway.history, wanted, record)
    retold = Retold(response_id, previous=previous, conversation=None if found is None else turn.id)
    return RememberingClient(client, turn, retold)


async def recall(
    gateway: Gateway, remembering: RememberingClient, grant: Grant, path: str, fields: Fields, size: int
) -> int:
    """Puts what goes along into a request of `size` bytes that has been checked, when its turn has come; what it comes to then, in
    bytes, where anybody counts them. It must fit each of the deployments that it may go to. Raises as `Remembered.recall` does.
    """
    model, terms = fields.get("model"), grant.principal.terms
    smallest = min(gateway.relay.fleet.route(model), key=lambda each: each.context_tokens or _ENDLESS)
    engines = Engines(smallest, gateway.grants.estimates, model, lambda sent: put_system(terms, path, sent))
    await remembering.recall(fields, engines, size)
    return len(write(fields)) if grant.counts else size


def refuse_conversation(_: Gateway, client: Client, __: CallRecord, ___: Grant, fields: Fields) -> None:
    """Raises InvalidRequest where a call names a conversation at a path that goes on with none."""
    if fields.pop(FIELD, None) is not None or client.fields.get(HEADER):
        raise InvalidRequest(
            f"'{FIELD}' belongs to /v1/chat/completions, /v1/responses, /v1/messages and /generate_stream; this path goes on with "
            "none.",
            f"'{FIELD}' は /v1/chat/completions、/v1/responses、/v1/messages、/generate_stream で使えます。"
            "このパスでは会話を続けられません。",
            param=FIELD,
        )


def _named(gateway: Gateway, client: Client, grant: Grant, fields: Fields) -> Named | None:
    value, header = fields.pop(FIELD, None), client.fields.get(HEADER)
    if value is None and not header:
        return None
    if not gateway.settings.history.enabled:
        raise nothing_is_kept()
    require(grant.principal, "history")
    return named(value, header)


def _check_previous(previous: Any, found: Named | None) -> None:
    if found is not None:
        raise InvalidRequest(
            f"'{PREVIOUS}' can't go with '{FIELD}': a conversation goes on from where it is. Send one of them.",
            f"'{PREVIOUS}' と '{FIELD}' は同時に指定できません。どちらか一方にしてください。",
            param=PREVIOUS,
        )
    if not isinstance(previous, str):
        raise wrong(PREVIOUS, "a response's id", "レスポンスのID")
    if not is_response_id(previous):
        raise unknown_response(previous, param=PREVIOUS)


_ENDLESS: Final = 1 << 60
