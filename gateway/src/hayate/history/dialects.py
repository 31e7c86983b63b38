"""A conversation in each dialect that can go on with one: what a request says, how what goes along is put into it, how its stream
is gathered and ends, what its answer comes to. Pure but for ids.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Final, NamedTuple

from hayate.wire import sse
from hayate.wire.chat_items import items_of_answer, items_of_messages, messages_of
from hayate.wire.gathered import Gathered
from hayate.wire.gathered_answers import GatheredChat, GatheredGenerate, GatheredMessage
from hayate.wire.gathered_response import GatheredResponse
from hayate.wire.items import Item, is_head
from hayate.wire.message_items import anthropic_of, items_of_anthropic, items_of_anthropic_answer
from hayate.wire.partial_response import ENDS
from hayate.wire.paths import CHAT, MESSAGES, RESPONSES
from hayate.wire.response_items import input_of, items_of_input, items_of_output

Resolve = Callable[[str], Item | None]
_LAST: Final = frozenset({b"error", *(each.encode() for each in ENDS)})
_LAST_NAMED: Final = tuple(b'"%b"' % each.encode() for each in ENDS)


class Said(NamedTuple):
    """What a request says: what stands before all turns, None where it says nothing of that, and the new items."""

    head: list[Item] | None
    items: list[Item]


class Dialect(ABC):
    """One of them; it keeps nothing."""

    path: ClassVar[str]
    """Where engines are asked in it."""
    field: ClassVar[str]
    """What is said in it."""
    gathers: ClassVar[type[Gathered]]
    marks: ClassVar[tuple[bytes, ...]]
    """One of these stands in every event that ends an answer."""

    @abstractmethod
    def said(self, fields: dict[str, Any], resolve: Resolve) -> Said:
        """What a checked request says. `resolve` finds stored items by their ids. Raises InvalidRequest."""

    @abstractmethod
    def put(self, items: Sequence[Item]) -> dict[str, Any]:
        """The fields that say these items."""

    @abstractmethod
    def is_last(self, event: bytes) -> bool:
        """Whether an event ends the answer."""

    def end_in(self, events: bytes) -> int:
        """Where in these whole events that begins which ends the answer; where none does, the last of them."""
        at = 0
        if b"\r" not in events:
            marked = [found for mark in self.marks if (found := events.find(mark)) >= 0]
            before = events.rfind(b"\n\n", 0, min(marked, default=len(events) - 2))
            at = before + 2 if before >= 0 else 0
        frames = sse.frames(events[at:])
        last = next((n for n, frame in enumerate(frames) if self.is_last(frame)), len(frames) - 1)
        return at + sum(map(len, frames[:last]))

    @abstractmethod
    def is_cut(self, answer: dict[str, Any]) -> bool:
        """Whether an answer says itself that it did not come to its end. Raises one of `faults.UNREADABLE` for what is none."""

    @abstractmethod
    def has_ended(self, answer: dict[str, Any]) -> bool:
        """Whether its caller is told its end, be it that of its limit. Raises as `is_cut` does."""

    @abstractmethod
    def items_of(self, answer: dict[str, Any], *, cut: bool) -> list[Item]:
        """What an engine said; `cut`: not to its end. Raises one of `faults.UNREADABLE` for what is no answer."""


class Chat(Dialect):
    """/v1/chat/completions."""

    path = CHAT
    field = "messages"
    gathers: ClassVar[type[Gathered]] = GatheredChat
    marks = (b"[DONE]",)

    def said(self, fields: dict[str, Any], resolve: Resolve) -> Said:
        """The messages of a system's or a developer's that come first stand before all turns."""
        items = items_of_messages(fields.get("messages") or [])
        first = next((n for n, each in enumerate(items) if not is_head(each)), len(items))
        return Said(items[:first] or None, items[first:])

    def put(self, items: Sequence[Item]) -> dict[str, Any]:
        """As messages."""
        return {"messages": messages_of(items)}

    def is_last(self, event: bytes) -> bool:
        """`[DONE]`, however it is written."""
        return (sse.data_of(event) or b"").strip() == b"[DONE]"

    def is_cut(self, answer: dict[str, Any]) -> bool:
        """By its one choice's reason."""
        return not answer["choices"] or answer["choices"][0].get("finish_reason") in (None, "length")

    def has_ended(self, answer: dict[str, Any]) -> bool:
        """With any reason."""
        return bool(answer["choices"]) and answer["choices"][0].get("finish_reason") is not None

    def items_of(self, answer: dict[str, Any], *, cut: bool) -> list[Item]:
        """Its one choice's message."""
        return items_of_answer(answer["choices"][0]["message"], cut=cut) if answer["choices"] else []


class Generate(Chat):
    """/generate_stream, which is a chat to engines."""

    gathers = GatheredGenerate
    marks = (b"done",)

    def is_last(self, event: bytes) -> bool:
        """`event: done`."""
        return sse.event_of(event) == b"done"


class Messages(Dialect):
    """/v1/messages."""

    path = MESSAGES
    field = "messages"
    gathers = GatheredMessage
    marks = (b"message_stop", b"error")

    def said(self, fields: dict[str, Any], resolve: Resolve) -> Said:
        """`system` stands before all turns."""
        head, items = items_of_anthropic({"messages": [], **fields})
        return Said(head or None, items)

    def put(self, items: Sequence[Item]) -> dict[str, Any]:
        """As `system` and as messages whose roles alternate."""
        system, messages = anthropic_of(items)
        return {"system": system, "messages": messages}

    def is_last(self, event: bytes) -> bool:
        """`message_stop`, or the engine's own error."""
        return sse.event_of(event) in (b"message_stop", b"error") or b'"message_stop"' in event

    def is_cut(self, answer: dict[str, Any]) -> bool:
        """By its reason."""
        return answer.get("stop_reason") in (None, "max_tokens")

    def has_ended(self, answer: dict[str, Any]) -> bool:
        """With any reason."""
        return answer.get("stop_reason") is not None

    def items_of(self, answer: dict[str, Any], *, cut: bool) -> list[Item]:
        """The message."""
        return items_of_anthropic_answer(answer, cut=cut)


class Responses(Dialect):
    """/v1/responses. Its `instructions` belong to the one call and are not kept; what goes along stands in its input."""

    path = RESPONSES
    field = "input"
    gathers = GatheredResponse
    marks = tuple(_LAST)

    def said(self, fields: dict[str, Any], resolve: Resolve) -> Said:
        """All of it is the new turn's: `instructions` stand before it for this one call."""
        return Said(None, items_of_input(fields.get("input") or [], resolve=resolve))

    def put(self, items: Sequence[Item]) -> dict[str, Any]:
        """As input items."""
        return {"input": input_of(items)}

    def is_last(self, event: bytes) -> bool:
        """The event that holds the whole response, or the engine's own error."""
        return sse.event_of(event) in _LAST or any(each in event for each in _LAST_NAMED)

    def is_cut(self, answer: dict[str, Any]) -> bool:
        """By its status."""
        return answer.get("status") != "completed"

    def has_ended(self, answer: dict[str, Any]) -> bool:
        """With a status of an answer's."""
        return answer.get("status") in ("completed", "incomplete")

    def items_of(self, answer: dict[str, Any], *, cut: bool) -> list[Item]:
        """Its output."""
        return items_of_output(answer.get("output") or [], cut=cut)


CHATS: Final = Chat()
GENERATES: Final = Generate()
OF_PATH: Final[dict[str, Dialect]] = {CHAT: CHATS, MESSAGES: Messages(), RESPONSES: Responses()}
"""By the path of ours, but for /generate_stream's."""
