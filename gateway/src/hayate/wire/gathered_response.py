"""What is gathered of OpenAI's response events, each of which has a number of its own."""

from __future__ import annotations

import re
from typing import Any, Final

from hayate.wire.gathered import Gathered
from hayate.wire.gathered_run import Around
from hayate.wire.partial_response import PartialResponse

_DELTA: Final = b'"delta":"'
_NUMBER: Final = re.compile(rb'("sequence_number": ?)[0-9]+')
_MOST_DIGITS: Final = 12
_SAID_AGAIN: Final = re.compile(
    rb'"type": ?"response\.(?:[a-z_]+_part\.(?:added|done)|'
    rb'(?:[a-z]+_text|reasoning_summary_text|refusal|function_call_arguments|custom_tool_call_input)\.done)"'
)
"""Of events that say what the deltas have said, or nothing yet."""


class GatheredResponse(Gathered):
    """One per call; its answer is what there is of the response, where the stream ends too early."""

    __slots__ = ("_parts",)

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._parts = PartialResponse()

    def _text_in(self, event: bytes) -> int | None:
        at = event.find(_DELTA)
        return None if at < 0 else at + len(_DELTA)

    def _keep(self, event: bytes, around: tuple[bytes, bytes] | None) -> None:
        if around is not None or _SAID_AGAIN.search(event) is None:
            super()._keep(event, around)

    def _alike(self, before: bytes, after: bytes) -> tuple[bytes, bytes]:
        return _NUMBER.sub(rb"\g<1>0", before), _NUMBER.sub(rb"\g<1>0", after)

    def _around(self, before: bytes, after: bytes) -> Around:
        return _Numbered(before, after)

    def _joins(self, blank: dict[str, Any]) -> bool:
        return blank.get("delta") == ""

    def _take(self, event: dict[str, Any]) -> None:
        self._parts.add(event)

    def _whole(self) -> dict[str, Any]:
        return self._parts.answer()


class _Numbered:
    """What stands around the text of a delta, but for the event's number: that is 0 here."""

    __slots__ = ("_after", "_before", "_spare_bytes", "after", "before")

    def __init__(self, before: bytes, after: bytes) -> None:
        self.before = before
        self.after = after
        self._before = _halves(before)
        self._after = _halves(after)
        numbers = len(_NUMBER.findall(before)) + len(_NUMBER.findall(after))
        self._spare_bytes = numbers * _MOST_DIGITS
        """How much longer than all that stands around it an event without text may be."""

    def first_said_in(self, whole: bytes) -> tuple[bytes, int]:
        """Nothing: between two texts stands another number each time."""
        return b"", 0

    def said_in(self, event: bytes) -> bytes | None:
        """The text of one such event, if this is one and has no quote in its text."""
        start = event.find(_DELTA) + len(_DELTA)
        stop = event.find(b'"', start)
        (front, inner), (joint, behind) = self._before, self._after
        if (
            event.startswith(front)
            and event.endswith(inner, len(front), start)
            and event.startswith(joint, stop)
            and event.endswith(behind, stop + len(joint))
            and len(event) - (stop - start) - len(self.before) - len(self.after) <= self._spare_bytes
        ):
            return event[start:stop]
        return None


def _halves(around: bytes) -> tuple[bytes, bytes]:
    """What stands before and behind a number; all of it before, where there is none."""
    found = _NUMBER.search(around)
    return (around, b"") if found is None else (around[: found.end() - 1], around[found.end() :])
