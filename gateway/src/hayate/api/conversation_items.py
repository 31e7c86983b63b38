"""What was said in a conversation, item by item, in OpenAI's shape: add, list, show, delete."""

from __future__ import annotations

import sqlite3
from time import time
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from hayate.api.bodies import body_of, json_answer
from hayate.api.conversation_shapes import ConversationAnswer, NewItems, answer_of
from hayate.api.conversations import CHANGES, new_items
from hayate.api.gateway import Gateway
from hayate.api.kept import (
    BY_ID,
    INCLUDE,
    ONE,
    PAGING,
    after_what,
    conversation_in,
    item_in,
    json,
    kept,
    page,
    page_asked,
    page_of,
    project_of,
    size_of,
)
from hayate.api.operations import body, described
from hayate.errors import ConversationLocked, UnknownItem
from hayate.store import kept_items as store
from hayate.store.conversations import Stored
from hayate.wire.history_ids import is_item_id
from hayate.wire.item_checks import MOST_ITEMS
from hayate.wire.item_schemas import KEPT_ITEM
from hayate.wire.refusals import wrong

BY_IDS: Final[dict[str, Any]] = {"path": {**BY_ID["path"], "item": "The item's id."}}


@described(
    "Adds items to a conversation, behind what was said last.",
    page_of(KEPT_ITEM),
    errors=(*ONE, *CHANGES, ConversationLocked),
    query=INCLUDE,
    **body(NewItems),
    **BY_ID,
)
async def add_items(request: Request, gateway: Gateway) -> Response:
    """POST /v1/conversations/{id}/items: up to 20, once no call goes on with it; the answer has them with their ids."""
    history = kept(gateway)
    wanted, project = conversation_in(request), project_of(request)
    asked = await body_of(request, gateway, NewItems, gateway.settings.max_body_bytes)
    items, now = new_items(asked.items, gateway), time()
    if not items:
        raise wrong("items", f"1 to {MOST_ITEMS} items", f"1個以上{MOST_ITEMS}個以内のアイテムのリスト")
    async with gateway.history.alone(project, wanted, history.wait_s):
        _, added = await gateway.store.keep(
            lambda c: store.add_items(c, project, wanted, items, limits=history, now=now), size_of(request)
        )
    return page([each.body for each in added], len(added))


@described("What was said in a conversation.", page_of(KEPT_ITEM), errors=ONE, query={**PAGING, **INCLUDE}, **BY_ID)
async def list_items(request: Request, gateway: Gateway) -> Response:
    """GET /v1/conversations/{id}/items?after=…&limit=…&order=…: the last first, unless `order` says otherwise."""
    kept(gateway)
    wanted, project = conversation_in(request), project_of(request)
    after, limit, order = page_asked(request, is_item_id)

    def look(connection: sqlite3.Connection) -> list[Stored]:
        try:
            return store.items_page(connection, project, wanted, after=after, limit=limit + 1, order=order)
        except UnknownItem:
            raise after_what() from None

    found = await gateway.store.recall(look)
    return page([each.body for each in found], limit)


@described("One item.", KEPT_ITEM, errors=(*ONE, UnknownItem), query=INCLUDE, **BY_IDS)
async def show_item(request: Request, gateway: Gateway) -> Response:
    """GET /v1/conversations/{id}/items/{item}: one item as it was said."""
    kept(gateway)
    wanted, item, project = conversation_in(request), item_in(request), project_of(request)
    found = await gateway.store.recall(lambda c: store.item(c, project, wanted, item))
    return json(found.body)


@described(
    "Deletes one item, and shows the conversation.",
    ConversationAnswer,
    errors=(*ONE, UnknownItem, ConversationLocked),
    **BY_IDS,
)
async def delete_item(request: Request, gateway: Gateway) -> Response:
    """DELETE /v1/conversations/{id}/items/{item}, once no call goes on with the conversation: it goes along no more."""
    history = kept(gateway)
    wanted, item, project = conversation_in(request), item_in(request), project_of(request)
    async with gateway.history.alone(project, wanted, history.wait_s):
        left = await gateway.store.keep(lambda c: store.delete_item(c, project, wanted, item, limits=history))
    return json_answer(answer_of(left))
