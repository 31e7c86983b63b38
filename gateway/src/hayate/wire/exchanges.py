"""What of a conversation may be said to an engine: whole exchanges with tools, nothing of what was thought.

Templates and engines refuse a call without what came of it, and what came of a call that nobody made. So a call goes
along with its output, right before it, or not at all; only calls at the very end, which wait for theirs, may stand
alone. A call that was cut is no call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import compress
from operator import itemgetter
from typing import Final

from hayate.wire.item_shapes import CALLS, OUTPUTS, Item

_kind: Final = itemgetter("type")
_TOOLS: Final = frozenset({*CALLS, *OUTPUTS.values()})
ANSWERS: Final = frozenset(OUTPUTS.values())
"""The kinds of what tools of the caller's return."""


class _Exchange:
    """Calls that were made at once, and what came of them, in the order in which it came."""

    __slots__ = ("_answered", "_calls", "_first_open", "_outputs", "_waiting")

    def __init__(self) -> None:
        self._calls: list[Item] = []
        self._answered: list[bool] = []
        self._first_open = 0
        self._outputs: list[Item] = []
        self._waiting: dict[str, deque[int]] = {}

    def call(self, item: Item) -> None:
        """One more call, made together with those before it."""
        self._waiting.setdefault(item["call_id"], deque()).append(len(self._calls))
        self._calls.append(item)
        self._answered.append(False)

    def answer(self, output: Item) -> bool:
        """Whether it answers the call that it names, which nothing has answered yet."""
        numbers = self._waiting.get(output["call_id"])
        while numbers:
            number = numbers.popleft()
            if not self._answered[number]:
                self._take(number, output)
                return True
        return False

    def answer_any(self, output: Item) -> None:
        """For an output that names no call: it answers the first that is open."""
        while self._first_open < len(self._calls):
            if not self._answered[self._first_open]:
                self._take(self._first_open, output)
                return
            self._first_open += 1

    def _take(self, number: int, output: Item) -> None:
        self._answered[number] = True
        call = self._calls[number]
        kind, call_id = OUTPUTS[call["type"]], call["call_id"]
        same = output["type"] == kind and output["call_id"] == call_id
        self._outputs.append(output if same else {**output, "type": kind, "call_id": call_id})

    def said(self, *, last: bool) -> list[Item]:
        """What of it goes along."""
        if last and not self._outputs:
            return self._calls
        return [*compress(self._calls, self._answered), *self._outputs]


def sendable(items: Iterable[Item]) -> list[Item]:
    """The items that go along to an engine, outputs right after their calls. Ids may occur again in later exchanges.

    An output that names no call answers the last exchange's first that is open.
    """
    kept = [item for item in items if item["type"] != "reasoning"]
    if _TOOLS.isdisjoint(map(_kind, kept)):
        return kept
    said: list[Item | _Exchange] = []
    by_id: dict[str, _Exchange] = {}
    current: _Exchange | None = None
    latest: _Exchange | None = None
    for item in kept:
        kind = item["type"]
        if kind in ANSWERS:
            found = by_id.get(item["call_id"])
            if (found is None or not found.answer(item)) and latest is not None and not item["call_id"]:
                latest.answer_any(item)
            current = None
        elif kind not in CALLS:
            said.append(item)
            current = None
        elif item.get("status") != "incomplete":
            if current is None:
                current = latest = _Exchange()
                said.append(current)
            current.call(item)
            by_id[item["call_id"]] = current
    return _flat(said)


def _flat(said: list[Item | _Exchange]) -> list[Item]:
    flat: list[Item] = []
    last = len(said) - 1
    for n, each in enumerate(said):
        if isinstance(each, _Exchange):
            flat += each.said(last=n == last)
        else:
            flat.append(each)
    return flat
