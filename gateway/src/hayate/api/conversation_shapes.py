"""What is said of conversations and to them: the shapes, OpenAI's with some fields more."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from hayate.store.conversations import Conversation
from hayate.wire.history_ids import ITEM
from hayate.wire.item_schemas import ITEMS
from hayate.wire.metadata import MAX_KEY_CHARS, MAX_PAIRS, MAX_VALUE_CHARS
from hayate.wire.refusals import wrong, wrong_value

MAX_NOTES_BYTES: Final = 65_536
"""They go along with every call, and a list has a hundred of them."""
Metadata = Annotated[
    Any,
    Field(
        json_schema_extra={
            "type": ["object", "null"],
            "maxProperties": MAX_PAIRS,
            "propertyNames": {"maxLength": MAX_KEY_CHARS},
            "additionalProperties": {"type": "string", "maxLength": MAX_VALUE_CHARS},
            "description": "Takes the place of what was there; `title` is what the conversation is called.",
        }
    ),
]
"""Which `wire.metadata` checks, in better words; so are the others below."""
Notes = Annotated[
    Any,
    Field(
        json_schema_extra={
            "type": ["string", "null"],
            "description": "A text that always goes along, whatever is left out: a summary, what is known of the player.",
        }
    ),
]
Items = Annotated[Any, Field(json_schema_extra=dict(ITEMS))]


class ConversationAnswer(BaseModel):
    """A conversation in OpenAI's form, and what is known of it beside; times in seconds since 1970."""

    id: str
    object: Literal["conversation"] = "conversation"
    created_at: int
    metadata: dict[str, str]
    notes: str | None
    used_at: int
    """When something was last said in it."""
    turns: int
    bytes: int
    """What its items come to."""


class FoundConversation(ConversationAnswer):
    """The same in a list; where something was searched for, with the best of what was found."""

    snippet: str | None = None
    """A piece of what was said."""
    snippet_parts: list[str] | None = None
    """The same, cut where hits begin and end: every second part is a hit."""
    item: str | None = None
    """The id of the item that it is a piece of."""


class ConversationsAnswer(BaseModel):
    """A page of conversations."""

    object: Literal["list"] = "list"
    data: list[FoundConversation]
    first_id: str
    last_id: str
    """What `after` takes for the next page; empty where nothing is listed."""
    has_more: bool


class DeletedAnswer(BaseModel):
    """A conversation is gone."""

    id: str
    object: Literal["conversation.deleted"] = "conversation.deleted"
    deleted: bool = True


class AllDeletedAnswer(BaseModel):
    """Everything that the project had is gone."""

    object: Literal["conversations.deleted"] = "conversations.deleted"
    deleted: int
    """How many conversations that was, those that only hold responses among them."""


class NewConversation(BaseModel):
    """POST /v1/conversations."""

    model_config = ConfigDict(extra="forbid")

    items: Items | None = None
    metadata: Metadata = None
    notes: Notes = None


class ChangedConversation(BaseModel):
    """POST /v1/conversations/{id}."""

    model_config = ConfigDict(extra="forbid")

    metadata: Metadata = None
    notes: Notes = None


class NewItems(BaseModel):
    """POST /v1/conversations/{id}/items."""

    model_config = ConfigDict(extra="forbid")

    items: Items


class BranchAsked(BaseModel):
    """POST /v1/conversations/{id}/branch."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[
        str, Field(json_schema_extra={"pattern": ITEM, "description": "The last item that the new conversation has."})
    ]


def said_of(found: Conversation) -> dict[str, Any]:
    """What every answer says of a conversation."""
    return {
        "id": found.id,
        "created_at": found.created_ms // 1000,
        "metadata": dict(found.metadata),
        "notes": found.notes,
        "used_at": found.used_ms // 1000,
        "turns": found.turns,
        "bytes": found.bytes,
    }


def answer_of(found: Conversation) -> ConversationAnswer:
    """A conversation as it is told."""
    return ConversationAnswer(**said_of(found))


def check_notes(value: Any) -> str | None:
    """The text; None for one that is empty. Raises InvalidRequest."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise wrong_value("notes", "text", "文字列", value)
    if len(value) > MAX_NOTES_BYTES or len(value.encode(errors="replace")) > MAX_NOTES_BYTES:
        raise wrong("notes", f"at most {MAX_NOTES_BYTES} bytes long", f"{MAX_NOTES_BYTES}バイト以内")
    return value or None
