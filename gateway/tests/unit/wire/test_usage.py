"""Tokens as the engine counted them, whichever dialect it counts in."""

from __future__ import annotations

from typing import Any

from hayate.wire.usage import Usage
from tests.support.tables import table


@table(
    ("reported", "counts"),
    [
        ({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}, (7, 3, 0)),
        ({"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 5}}, (7, 3, 5)),
        ({"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": None}, (7, 3, 0)),
        ({"input_tokens": 7, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 5}}, (7, 3, 5)),
        ({"input_tokens": 2, "output_tokens": 3, "cache_read_input_tokens": 5}, (7, 3, 5)),
        (
            {"input_tokens": 2, "output_tokens": 3, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 4},
            (11, 3, 5),
        ),
        ({"prompt_tokens": 7}, (7, 0, 0)),
    ],
)
def test_counts_of_every_dialect_are_read(reported: dict[str, Any], counts: tuple[int, int, int]) -> None:
    usage = Usage()
    usage.take(reported)
    usage.settle(whole=True)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == counts
    assert usage.exact


@table("reported", [None, [], "7", 7, {}, {"prompt_tokens": "7"}, {"prompt_tokens": True}])
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


@table("odd", ODD)
@table("name", ["prompt_tokens", "completion_tokens", "input_tokens", "output_tokens"])
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
    for usage in (first, last):
        usage.settle(whole=True)
        assert (usage.completion_tokens, usage.exact) == (5, False), "nobody has counted the answer"


@table("before", [0, 3, 9])
@table("told", [0, 1, 4, 300])
def test_of_an_answer_that_is_cut_off_the_deltas_count_where_they_are_more(told: int, before: int) -> None:
    usage = Usage()
    usage.seen(before)
    usage.take({"prompt_tokens": 7, "completion_tokens": told})
    usage.seen(9 - before)
    usage.settle(whole=False)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.exact) == (7, max(told, 9), False)


def test_what_an_answer_says_of_itself_when_it_begins_is_no_count_of_it() -> None:
    begun = {"input_tokens": 336, "output_tokens": 1}
    usage = Usage()
    usage.take(begun, begins=True)
    usage.seen(20)
    usage.settle(whole=False)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.exact) == (336, 20, False)
    usage = Usage()
    usage.take(begun, begins=True)
    usage.seen(20)
    usage.take({"output_tokens": 25})
    usage.settle(whole=True)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.exact) == (336, 25, True)


def test_what_the_engine_tells_has_the_deltas_in_it_that_nobody_has_counted_yet() -> None:
    usage = Usage()
    usage.seen(1)
    assert usage.made(4) == 5
    usage.take({"prompt_tokens": 7, "completion_tokens": 6})
    assert usage.made(4) == 6
    assert usage.made(9) == 10, "more came after it had told"
    usage.seen(9)
    usage.settle(whole=False)
    assert usage.completion_tokens == usage.made(0) == 10


def test_a_prompt_that_is_being_read_is_used_once_its_answer_begins() -> None:
    usage = Usage()
    usage.expect(900, 100)
    usage.settle(whole=False)
    assert (usage.prompt_tokens, usage.cached_tokens, usage.begun) == (0, 0, False)
    usage.seen(1)
    usage.settle(whole=False)
    assert (usage.prompt_tokens, usage.cached_tokens, usage.exact) == (900, 100, False)


@table("odd", [-1, 10**30, "900", None, float("nan")])
def test_a_prompt_of_no_length_is_not_expected(odd: Any) -> None:
    usage = Usage()
    usage.expect(odd, 5)
    usage.seen(1)
    usage.settle(whole=False)
    assert (usage.prompt_tokens, usage.told_prompt) == (0, False)


def test_no_more_of_a_prompt_was_cached_than_it_has() -> None:
    usage = Usage()
    usage.take({"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 500}})
    usage.settle(whole=True)
    assert usage.cached_tokens == 7
