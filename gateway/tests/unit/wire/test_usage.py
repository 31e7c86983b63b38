"""Tokens as the engine counted them, whichever dialect it counts in."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.wire.usage import Usage


@pytest.mark.parametrize(
    ("reported", "counts"),
    [
        ({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}, (7, 3, 0)),
        ({"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 5}}, (7, 3, 5)),
        ({"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": None}, (7, 3, 0)),
        ({"input_tokens": 7, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 5}}, (7, 3, 5)),
        ({"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": 5}, (7, 3, 5)),
        ({"prompt_tokens": 7}, (7, 0, 0)),
    ],
)
def test_counts_of_every_dialect_are_read(reported: dict[str, Any], counts: tuple[int, int, int]) -> None:
    usage = Usage()
    usage.take(reported)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == counts
    assert usage.exact


@pytest.mark.parametrize("reported", [None, [], "7", 7, {}, {"prompt_tokens": "7"}, {"prompt_tokens": True}])
def test_what_is_not_a_count_is_ignored(reported: Any) -> None:
    usage = Usage()
    usage.take(reported)
    assert usage == Usage()


def test_passing_deltas_count_until_the_engine_says() -> None:
    usage = Usage()
    usage.seen(2)
    usage.seen(1)
    assert (usage.completion_tokens, usage.exact) == (3, False)
    usage.take({"prompt_tokens": 9, "completion_tokens": 4})
    usage.seen(1)
    assert (usage.completion_tokens, usage.exact) == (4, True)


ODD = [-1, -(10**9), 10**9 + 1, 10**30, 1e30, float("nan"), float("inf"), 7.5, "7", None, True, [7], {}]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens", "input_tokens", "output_tokens"])
def test_what_no_engine_can_have_counted_lowers_and_breaks_nothing(name: str, odd: Any) -> None:
    usage = Usage()
    usage.seen(4)
    usage.take({name: odd})
    assert (usage.prompt_tokens, usage.completion_tokens, usage.exact) == (0, 4, False)
    usage.take({"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 5}})
    usage.take({name: odd, "prompt_tokens_details": {"cached_tokens": odd}, "cache_read_input_tokens": odd})
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == (7, 3, 5)


def test_a_whole_number_may_be_written_with_a_point() -> None:
    usage = Usage()
    usage.take({"prompt_tokens": 7.0, "completion_tokens": 3.0, "prompt_tokens_details": {"cached_tokens": 5.0}})
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == (7, 3, 5)
    assert isinstance(usage.prompt_tokens, int)


def test_the_order_of_deltas_and_reports_makes_no_difference() -> None:
    first, last = Usage(), Usage()
    first.seen(2)
    first.take({"prompt_tokens": 1})
    first.seen(3)
    last.take({"prompt_tokens": 1})
    last.seen(5)
    assert first == last
