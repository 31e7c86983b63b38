"""Ids of what is kept: their forms, which are looked at before anything is looked for, and what is told of one that leads
nowhere: the same whether it never was, was deleted, or is another project's.
"""

from __future__ import annotations

import re
from typing import Final

from hayate.errors import NotSupported, UnknownConversation, UnknownItem, UnknownResponse

MAX_CONVERSATION_CHARS: Final = 64
MAX_ITEM_CHARS: Final = 80
MAX_RESPONSE_CHARS: Final = 80
CONVERSATION: Final = r"^conv_[0-9A-Za-z_-]{1,59}$"
ITEM: Final = r"^[0-9A-Za-z_-]{1,80}$"
RESPONSE: Final = r"^resp_[0-9A-Za-z_-]{1,75}$"
"""Their forms, as regular expressions that JSON Schema knows too."""
_CONVERSATION: Final = re.compile(CONVERSATION[1:-1])
_ITEM: Final = re.compile(ITEM[1:-1])
_RESPONSE: Final = re.compile(RESPONSE[1:-1])


def is_conversation_id(text: str) -> bool:
    """Whether a conversation's id looks like this."""
    return _CONVERSATION.fullmatch(text) is not None


def is_item_id(text: str) -> bool:
    """Whether an item's id looks like this."""
    return _ITEM.fullmatch(text) is not None


def is_response_id(text: str) -> bool:
    """Whether a response's id looks like this."""
    return _RESPONSE.fullmatch(text) is not None


def unknown_conversation(wanted: str, *, param: str | None = None) -> UnknownConversation:
    """404, by the id that was asked for; `param`: the field that named it, where it was a field."""
    shown = wanted[:MAX_CONVERSATION_CHARS]
    return UnknownConversation(
        f"Your project has no conversation with the id {shown!r}, or no longer. GET /v1/conversations lists those that it has.",
        f"ID {shown!r} の会話は、このプロジェクトにはありません（削除された可能性があります）。"
        "一覧は `GET /v1/conversations` で確認できます。",
        param=param,
    )


def unknown_item(wanted: str, *, param: str | None = None) -> UnknownItem:
    """404, by the id that was asked for."""
    shown = wanted[:MAX_ITEM_CHARS]
    return UnknownItem(
        f"The conversation has no item with the id {shown!r}, or no longer. GET /v1/conversations/…/items lists those that it has.",
        f"ID {shown!r} のアイテムは、この会話にはありません（削除された可能性があります）。"
        "一覧は `GET /v1/conversations/…/items` で確認できます。",
        param=param,
    )


def unknown_response(wanted: str, *, param: str | None = None) -> UnknownResponse:
    """404, by the id that was asked for; `param`: the field that named it, where it was a field."""
    shown = wanted[:MAX_RESPONSE_CHARS]
    return UnknownResponse(
        f"No response with the id {shown!r} is kept for your project, or no longer. Those that are asked for with "
        '"store": false never are.',
        f"ID {shown!r} のレスポンスは、このプロジェクトには保存されていません（削除されたか、保存期間が過ぎた可能性があります）。"
        '`"store": false` を指定したレスポンスは保存されません。',
        param=param,
    )


def nothing_is_kept() -> NotSupported:
    """501, where the operator has turned it off."""
    return NotSupported(
        "This gateway keeps no conversations and no responses (history.enabled). Send the whole conversation with each call, "
        "or ask whoever runs the gateway.",
        "このゲートウェイは会話とレスポンスを保存しません（history.enabled）。毎回、会話全体を送ってください。"
        "必要な場合はゲートウェイの管理者に依頼してください。",
    )
