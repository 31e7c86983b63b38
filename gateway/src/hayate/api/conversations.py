"""Conversations in OpenAI's shape, and what a program needs beside: a list, search, one call that deletes everything."""

from __future__ import annotations

import sqlite3
from time import time
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from hayate.api.bodies import body_of, json_answer
from hayate.api.conversation_shapes import (
    AllDeletedAnswer,
    ChangedConversation,
    ConversationAnswer,
    ConversationsAnswer,
    DeletedAnswer,
    FoundConversation,
    NewConversation,
    answer_of,
    check_notes,
    said_of,
)
from hayate.api.gateway import Gateway
from hayate.api.kept import (
    BY_ID,
    MAY_FAIL,
    ONE,
    PAGING,
    after_what,
    conversation_in,
    kept,
    page_asked,
    project_of,
    size_of,
)
from hayate.api.operations import body, described
from hayate.errors import BodyTooLarge, ConversationFull, InvalidRequest, UnknownConversation, UnreadableCoding
from hayate.store import conversation_changes as changes
from hayate.store.conversation_changes import TOGETHER, delete, delete_some, update
from hayate.store.conversations import found_in, get, list_
from hayate.store.search import search
from hayate.store.search_query import MAX_QUERY_CHARS
from hayate.wire.history_ids import is_conversation_id
from hayate.wire.items import Item, check_items
from hayate.wire.metadata import check_metadata
from hayate.wire.refusals import wrong

CHANGES: Final = (BodyTooLarge, UnreadableCoding, ConversationFull)
"""What changes of a conversation may raise beside."""


@described(
    "A new conversation.", ConversationAnswer, errors=(*MAY_FAIL, *CHANGES), **body(NewConversation, required=False)
)
async def create_conversation(request: Request, gateway: Gateway) -> Response:
    """POST /v1/conversations: with up to 20 items, metadata and notes."""
    history, project = kept(gateway), project_of(request)
    asked = await body_of(request, gateway, NewConversation, gateway.settings.max_body_bytes)
    new, now = (
        changes.NewConversation(
            metadata=check_metadata(asked.metadata),
            notes=check_notes(asked.notes),
            items=[] if asked.items is None else new_items(asked.items, gateway),
            limits=history,
        ),
        time(),
    )
    made = await gateway.store.keep(lambda c: changes.create(c, project, new, now), size_of(request))
    return json_answer(answer_of(made))


@described(
    "The project's conversations, the last used first; where something is searched for, the best first.",
    ConversationsAnswer,
    errors=MAY_FAIL,
    query={
        **PAGING,
        "search": {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_QUERY_CHARS,
            "description": "Words, all of which something that was said has; `order` does not count then.",
        },
    },
)
async def list_conversations(request: Request, gateway: Gateway) -> Response:
    """GET /v1/conversations?after=…&limit=…&order=…&search=…: a page of them, each without its items."""
    kept(gateway)
    project, (after, limit, order) = project_of(request), page_asked(request, is_conversation_id)
    query = _query(request)

    def look(connection: sqlite3.Connection) -> list[FoundConversation]:
        try:
            if query is not None:
                return searched(connection, project, query, after, limit + 1)
            listed = list_(connection, project, after=after, limit=limit + 1, order=order)
        except UnknownConversation:
            raise after_what() from None
        return [FoundConversation(**said_of(each)) for each in listed]

    found = await gateway.store.recall(look, long=True)
    data = found[:limit]
    return json_answer(
        ConversationsAnswer(
            data=data,
            first_id=data[0].id if data else "",
            last_id=data[-1].id if data else "",
            has_more=len(found) > limit,
        )
    )


@described("One conversation.", ConversationAnswer, errors=ONE, **BY_ID)
async def show_conversation(request: Request, gateway: Gateway) -> Response:
    """GET /v1/conversations/{id}: the conversation without its items."""
    kept(gateway)
    wanted, project = conversation_in(request), project_of(request)
    return json_answer(answer_of(await gateway.store.recall(lambda c: found_in(c, project, wanted))))


@described(
    "Changes what is sent of a conversation.",
    ConversationAnswer,
    errors=(*ONE, *CHANGES),
    **body(ChangedConversation),
    **BY_ID,
)
async def update_conversation(request: Request, gateway: Gateway) -> Response:
    """POST /v1/conversations/{id}: metadata, which is replaced as a whole, and notes."""
    history = kept(gateway)
    wanted, project = conversation_in(request), project_of(request)
    asked = await body_of(request, gateway, ChangedConversation, gateway.settings.max_body_bytes)
    changed: dict[str, Any] = {}
    if "metadata" in asked.model_fields_set:
        changed["metadata"] = check_metadata(asked.metadata)
    if "notes" in asked.model_fields_set:
        changed["notes"] = check_notes(asked.notes) or ""
    if not changed:
        raise InvalidRequest(
            "'metadata' is missing: nothing is to be changed. 'metadata' and 'notes' can be.",
            "'metadata' がありません。変更する内容（'metadata' または 'notes'）を指定してください。",
            param="metadata",
        )
    found = await gateway.store.keep(lambda c: update(c, project, wanted, limits=history, **changed))
    return json_answer(answer_of(found))


@described("Deletes a conversation, with all that was said in it.", DeletedAnswer, errors=ONE, **BY_ID)
async def delete_conversation(request: Request, gateway: Gateway) -> Response:
    """DELETE /v1/conversations/{id}: at once for whoever looks, and soon from the file's bytes."""
    kept(gateway)
    wanted, project = conversation_in(request), project_of(request)
    await gateway.store.keep(lambda c: delete(c, project, wanted))
    return json_answer(DeletedAnswer(id=wanted))


@described(
    "Deletes everything that the project has: its conversations, and the responses that are kept.",
    AllDeletedAnswer,
    errors=MAY_FAIL,
    query={"all": {"enum": ["true"], "required": True, "description": "So that nobody does it by mistake."}},
)
async def delete_conversations(request: Request, gateway: Gateway) -> Response:
    """DELETE /v1/conversations?all=true: in steps, so that no call waits for it; those made meanwhile stay."""
    kept(gateway)
    project = project_of(request)
    if request.query_params.get("all") != "true":
        raise InvalidRequest(
            "This deletes every conversation of your project: say so with '?all=true'. To delete one, name its id in the path.",
            "プロジェクトのすべての会話を削除します。実行するには '?all=true' を付けてください。"
            "1件だけ削除するには、パスにIDを指定してください。",
            param="all",
        )
    deleted, some = 0, TOGETHER
    while some == TOGETHER:
        some = await gateway.store.keep(lambda c: delete_some(c, project))
        deleted += some
    return json_answer(AllDeletedAnswer(deleted=deleted))


def searched(
    connection: sqlite3.Connection, project: str, query: str, after: str | None, limit: int
) -> list[FoundConversation]:
    """The conversations in which the words of `query` were said, best first. Raises UnknownConversation for `after`."""
    shown = []
    for each in search(connection, project, query, limit=limit, after=after):
        conversation = get(connection, project, each.conversation)
        if conversation is not None:
            said = said_of(conversation)
            shown.append(
                FoundConversation(**said, snippet=each.snippet, snippet_parts=list(each.parts), item=each.item)
            )
    return shown


def new_items(value: Any, gateway: Gateway) -> list[Item]:
    """Items that a caller brings, without the ids that they may have had. Raises InvalidRequest."""
    settings = gateway.settings
    most_bytes = settings.history.max_item_bytes
    return check_items(value, "items", max_item_bytes=most_bytes, caps=settings.caps)


def _query(request: Request) -> str | None:
    query = request.query_params.get("search")
    if query is not None and not 0 < len(query.strip()) <= MAX_QUERY_CHARS:
        raise wrong(
            "search", f"text of 1 to {MAX_QUERY_CHARS} characters", f"1文字以上{MAX_QUERY_CHARS}文字以内の文字列"
        )
    return query
