"""What is gathered of a chat's answer, of a message, of /generate_stream's events."""

from __future__ import annotations

import re
from typing import Any, Final

from hayate.wire import sse
from hayate.wire.assemble import Assembler
from hayate.wire.gathered import Gathered
from hayate.wire.messages import TEXTS, MessageAssembler
from hayate.wire.plain_event import text_in

_OF_MESSAGE: Final = re.compile(rb'"(?:text|thinking|signature|partial_json)":"')
_DELTA: Final = b'"content_block_delta"'
_OF_GENERATE: Final = re.compile(rb'data: \{"(?:delta|reasoning)":"')
_CHAT_NAMES: Final = (("content", "delta"), ("reasoning", "reasoning"))
_REPLACED: Final = frozenset({"role", "id", "type", "name"})
"""Texts that are not joined, however often they come (`assemble`)."""


class GatheredChat(Gathered):
    """Of chat.completion.chunk events."""

    __slots__ = ("_assembler",)

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._assembler = Assembler()

    def _text_in(self, event: bytes) -> int | None:
        found = text_in(event)
        return None if found is None else found[0]

    def _joins(self, blank: dict[str, Any]) -> bool:
        choices = blank.get("choices")
        choice = choices[0] if isinstance(choices, list) and len(choices) == 1 else None
        if not isinstance(choice, dict) or not isinstance(choice.get("delta"), dict):
            return False
        rest = {key: value for key, value in choice.items() if key != "delta"}
        return _texts_to_join(choice["delta"]) == 1 and _texts_to_join(rest) == 0

    def _take(self, event: dict[str, Any]) -> None:
        for choice in event.get("choices") or ():
            if isinstance(choice, dict):
                choice.pop("logprobs", None)  # nothing of them is kept, and they take a hundred times a text's memory
        self._assembler.add(event)

    def _whole(self) -> dict[str, Any]:
        return self._assembler.answer()


class GatheredMessage(Gathered):
    """Of Anthropic's events."""

    __slots__ = ("_assembler",)

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._assembler = MessageAssembler()

    def _text_in(self, event: bytes) -> int | None:
        found = _OF_MESSAGE.search(event) if _DELTA in event else None
        return None if found is None else found.end()

    def _joins(self, blank: dict[str, Any]) -> bool:
        delta = blank.get("delta")
        return isinstance(delta, dict) and delta.get(TEXTS.get(delta.get("type", ""), "")) == ""

    def _take(self, event: dict[str, Any]) -> None:
        self._assembler.add(event)

    def _whole(self) -> dict[str, Any]:
        return self._assembler.answer()


class GatheredGenerate(Gathered):
    """Of /generate_stream's events; its answer is a chat's."""

    __slots__ = ("_assembler",)

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._assembler = Assembler()

    def add(self, events: bytes) -> None:
        """Each event without its id, which is another one each time."""
        one = events.find(b"\n\n") == len(events) - 2
        for event in (events,) if one else sse.frames(events):
            super().add(event[max(0, event.find(b"data: ")) :])

    def _text_in(self, event: bytes) -> int | None:
        found = _OF_GENERATE.match(event)
        return None if found is None else found.end()

    def _joins(self, blank: dict[str, Any]) -> bool:
        return len(blank) == 1

    def _take(self, event: dict[str, Any]) -> None:
        delta = {name: event[key] for name, key in _CHAT_NAMES if key in event}
        self._assembler.add({"choices": [{"delta": delta, "finish_reason": event.get("finish_reason")}]})

    def _whole(self) -> dict[str, Any]:
        return self._assembler.answer()


def _texts_to_join(value: dict[str, Any]) -> int:
    """How many texts of this the assembler would join with those of others like it, if all of them are empty; more than any,
    where something else would grow with each.
    """
    found = 0
    for key, each in value.items():
        if isinstance(each, str):
            found += 0 if key in _REPLACED else 1 if not each else _MANY
        elif isinstance(each, dict):
            found += _texts_to_join(each)
        elif isinstance(each, list):
            found += sum(
                _texts_to_join(item) if isinstance(item, dict) and isinstance(item.get("index"), int) else _MANY
                for item in each
            )
    return found


_MANY: Final = 1000
