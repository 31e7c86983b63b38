"""Conversations that begin as others: imported, or branched off. However much there is to copy, it is kept in steps, so that no
call waits for it (`store.making`), and nobody sees half of one.
"""

from __future__ import annotations

from time import time
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from hayate.api.bodies import body_of, json_answer, raw_of
from hayate.api.conversation_exports import EXPORT
from hayate.api.conversation_shapes import BranchAsked, ConversationAnswer, answer_of, check_notes
from hayate.api.conversations import CHANGES
from hayate.api.gateway import Gateway
from hayate.api.kept import BY_ID, MAY_FAIL, ONE, conversation_in, kept, once, project_of
from hayate.api.operations import body, described
from hayate.api.pauses import others_first
from hayate.errors import InvalidRequest, RateLimited, UnknownItem
from hayate.store.branches import Branch
from hayate.store.conversation_changes import NewConversation
from hayate.store.imports import Import
from hayate.wire.exported import Exported
from hayate.wire.history_ids import is_item_id, unknown_item
from hayate.wire.item_checks import checked_item
from hayate.wire.items import Item
from hayate.wire.media import check_sources
from hayate.wire.metadata import check_metadata

MAX_ITEMS: Final = 50_000
"""Of one import: as objects they take a few times the memory of their text."""
CHECKED_TOGETHER: Final = 100
"""Items that are looked at before others have their turn."""


@described(
    "A new conversation with what an export of one holds.",
    ConversationAnswer,
    errors=(*MAY_FAIL, *CHANGES, RateLimited),
    **body(EXPORT),
)
async def import_conversation(request: Request, gateway: Gateway) -> Response:
    """POST /v1/conversations/import: what GET …/export?format=json gave, or a line of GET …/export. All ids are new, and it is
    of today.
    """
    kept(gateway)
    project = project_of(request)
    once(gateway.importing, project, "A conversation is being imported", "会話のインポートを実行中です")
    gateway.importing.add(project)
    try:
        raw = await raw_of(request, gateway, gateway.settings.max_body_bytes)
        new = await _read(Exported(raw, gateway.settings.caps.max_weight_per_mib), gateway)
        del raw
        made = await gateway.store.keep_in_steps(Import(project, new, time()))
    finally:
        gateway.importing.discard(project)
    return json_answer(answer_of(made))


@described(
    "A new conversation with what another holds up to one of its items.",
    ConversationAnswer,
    errors=(*ONE, *CHANGES, UnknownItem),
    **body(BranchAsked),
    **BY_ID,
)
async def branch_conversation(request: Request, gateway: Gateway) -> Response:
    """POST /v1/conversations/{id}/branch {"after": …}: metadata and notes go along."""
    history = kept(gateway)
    wanted, project = conversation_in(request), project_of(request)
    after = (await body_of(request, gateway, BranchAsked)).after
    if not is_item_id(after):
        raise unknown_item(after, param="after")
    made = await gateway.store.keep_in_steps(Branch(project, wanted, after=after, limits=history, now=time()))
    return json_answer(answer_of(made))


async def _read(document: Exported, gateway: Gateway) -> NewConversation:
    """What is imported, checked item by item. Raises InvalidRequest that names the place."""
    history, caps = gateway.settings.history, gateway.settings.caps
    items: list[Item] = []
    for each in document.items():
        if each is None:
            await others_first()
            continue
        if len(items) == MAX_ITEMS:
            raise InvalidRequest(
                f"'items' has over {MAX_ITEMS:,} items; that many may be imported at most.",
                f"'items' のアイテムが多すぎます。インポートできるのは{MAX_ITEMS:,}個までです。",
                param="items",
            )
        where = f"items[{len(items)}]"
        check_sources(where, each, caps)
        items.append(checked_item(each, where, max_bytes=history.max_item_bytes, kept=True))
        if len(items) % CHECKED_TOGETHER == 0:
            await others_first()
    about = document.rest()["conversation"]
    metadata, notes = check_metadata(about.get("metadata"), "conversation.metadata"), check_notes(about.get("notes"))
    return NewConversation(metadata=metadata, notes=notes, items=items, limits=history)
