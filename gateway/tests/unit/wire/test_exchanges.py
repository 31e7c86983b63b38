"""What goes along is whole: every call with its output, every output with its call."""

from __future__ import annotations

import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hayate.wire.exchanges import ANSWERS, sendable
from hayate.wire.item_shapes import CALLS, Item, message, reasoning_of


def called(call_id: str, status: str = "completed") -> Item:
    return {"type": "function_call", "status": status, "call_id": call_id, "name": "f", "arguments": "{}"}


def returned(call_id: str, output: Any = "1") -> Item:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


IDS = st.sampled_from(("", "a", "b", "c"))
ITEMS = st.lists(
    st.builds(called, IDS, st.sampled_from(("completed", "incomplete")))
    | st.builds(returned, IDS)
    | st.sampled_from((message("user", "x"), message("assistant", "y"), reasoning_of("z"))),
    max_size=12,
)


@given(ITEMS)
def test_nothing_half_goes_along(items: list[Item]) -> None:
    said = sendable(items)

    waiting: list[str] = []
    at_the_end = True
    for item in reversed(said):
        if item["type"] in ANSWERS:
            waiting.append(item["call_id"])
            at_the_end = False
        elif item["type"] in CALLS:
            assert at_the_end or item["call_id"] in waiting
            assert item["status"] != "incomplete"
            if not at_the_end:
                waiting.remove(item["call_id"])
        else:
            assert item["type"] != "reasoning"
            assert not waiting
            at_the_end = False
    assert not waiting
    assert sendable(said) == said


def test_whoever_calls_is_answered_at_once() -> None:
    wait, user = message("assistant", "Wait."), message("user", "?")

    assert sendable([called("a"), wait, called("b"), returned("b"), user, returned("a")]) == [
        called("a"),
        returned("a"),
        wait,
        called("b"),
        returned("b"),
        user,
    ]


def test_time_grows_with_the_items() -> None:
    """Nobody can make it quadratic: by one id for all, by no ids, by ids that were never called."""
    many = 100_000
    for items in (
        [called("a")] * many + [returned("a")] * many,
        [called(str(n)) for n in range(many)] + [returned("")] * many,
        [called("a")] + [returned("b")] * many,
        [each for n in range(many) for each in (called("a"), returned("a"))],
    ):
        before = time.process_time()
        sendable(items)
        assert time.process_time() - before < 5
