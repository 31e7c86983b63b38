"""Responses that are kept, in OpenAI's shape: shown, deleted, and what was said to them. They are made by calls
(`api.passthrough`); what OpenAI's API can do beyond that is refused by name.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from hayate.api.gateway import Gateway
from hayate.api.kept import (
    INCLUDE,
    MAY_FAIL,
    PAGING,
    after_what,
    json,
    kept,
    page,
    page_asked,
    page_of,
    project_of,
    response_in,
)
from hayate.api.operations import Described, described
from hayate.errors import NotSupported, UnknownItem, UnknownResponse
from hayate.store import kept_responses as store
from hayate.store.conversations import Stored
from hayate.store.kept_responses import KeptResponse
from hayate.wire.history_ids import is_item_id, unknown_response
from hayate.wire.item_schemas import KEPT_ITEM

BY_ID: Final[dict[str, Any]] = {"path": {"response": "The response's id."}}
ONE: Final = (*MAY_FAIL, UnknownResponse)
RESPONSE: Final = {
    "type": "object",
    "required": ["id", "object", "output", "status"],
    "properties": {
        "id": {"type": "string"},
        "object": {"const": "response"},
        "output": {"type": "array", "items": KEPT_ITEM},
    },
    "description": "A response in OpenAI's form.",
}
DELETED: Final = {
    "type": "object",
    "required": ["id", "object", "deleted"],
    "properties": {"id": {"type": "string"}, "object": {"const": "response"}, "deleted": {"const": True}},
}


@described("A response that is kept.", RESPONSE, errors=ONE, query=INCLUDE, **BY_ID)
async def show_response(request: Request, gateway: Gateway) -> Response:
    """GET /v1/responses/{id}: as it was answered. Raises NotSupported for `stream`: its events are not kept."""
    kept(gateway)
    wanted, project = response_in(request), project_of(request)
    if request.query_params.get("stream", "false") not in ("false", "0"):
        raise not_there("stream", "the events of a response are not kept", "レスポンスのイベントは保存されません")

    def look(connection: sqlite3.Connection) -> dict[str, Any]:
        found = store.response(connection, project, wanted)
        if found is None:
            raise unknown_response(wanted)
        return said_of(found, store.output_items(connection, found))

    return json(await gateway.store.recall(look))


@described("Deletes a response.", DELETED, errors=ONE, **BY_ID)
async def delete_response(request: Request, gateway: Gateway) -> Response:
    """DELETE /v1/responses/{id}: what was said stays in its conversation, if it is in one of a caller's."""
    history = kept(gateway)
    wanted, project = response_in(request), project_of(request)
    await gateway.store.keep(lambda c: store.delete_response(c, project, wanted, limits=history))
    return json({"id": wanted, "object": "response", "deleted": True})


@described(
    "What was said to a response, with what went before.",
    page_of(KEPT_ITEM),
    errors=ONE,
    query={**PAGING, **INCLUDE},
    **BY_ID,
)
async def list_input_items(request: Request, gateway: Gateway) -> Response:
    """GET /v1/responses/{id}/input_items?after=…&limit=…&order=…: the last first, unless `order` says otherwise."""
    kept(gateway)
    wanted, project = response_in(request), project_of(request)
    after, limit, order = page_asked(request, is_item_id)

    def look(connection: sqlite3.Connection) -> list[Stored]:
        try:
            return store.input_items(connection, project, wanted, after=after, limit=limit + 1, order=order)
        except UnknownItem:
            raise after_what() from None

    found = await gateway.store.recall(look)
    return page([each.body for each in found], limit)


def said_of(found: KeptResponse, output: list[Stored]) -> dict[str, Any]:
    """A response as it was answered."""
    of = found.conversation
    return {
        "object": "response",
        "created_at": found.created_ms // 1000,
        "status": "completed",
        **found.body,
        "id": found.id,
        "previous_response_id": found.previous,
        "conversation": {"id": of.id} if of.listed else None,
        "store": True,
        "output": [each.body for each in output],
    }


def refused(name: str, why: str, why_ja: str) -> Described:
    """What OpenAI's API has and this gateway has not: 501, by its name."""

    @described(f"Not served: {why}.", errors=(NotSupported,), **(BY_ID if name == "cancel" else {}))
    async def refuse(_: Request, __: Gateway) -> Response:
        raise not_there(name, why, why_ja)

    return refuse


def not_there(name: str, why: str, why_ja: str) -> NotSupported:
    """The refusal, naming what was asked for."""
    return NotSupported(
        f"This gateway has no '{name}' of responses: {why}.",
        f"レスポンスの '{name}' には対応していません。{why_ja}。",
        param=name,
    )


cancel_response: Final = refused(
    "cancel",
    "none runs in the background; a call ends when its client leaves",
    "バックグラウンドでの実行はありません。呼び出しはクライアントが切断すると終了します",
)
compact_response: Final = refused(
    "compact",
    "nothing is summarised by itself; what does not fit is left out, and 'notes' of a conversation always go along",
    "自動要約は行いません。収まらない分は省かれ、会話の 'notes' は常に送られます",
)
count_input_tokens: Final = refused(
    "input_tokens",
    "POST /tokenize counts a text, where the engine tells",
    "テキストのトークン数は `POST /tokenize` で数えられます（エンジンが対応している場合）",
)
