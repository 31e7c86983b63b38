"""What a prompt comes to with fewer and fewer turns."""

from __future__ import annotations

import pytest

from hayate.policy.prompt_sizes import MARGIN, PICTURE_TOKENS, TEMPLATE_TOKENS, PromptSizes, Size, Turn

TURNS = [Turn(3, 300), Turn(4, 600, media=1), Turn(7, 900)]


def sizes(turns: list[Turn] | None = None, *always: Size) -> PromptSizes:
    return PromptSizes(TURNS if turns is None else turns, 8, always or (Size(90), Size(30)), lambda size: size / 3)


def test_each_turn_adds_to_those_behind_it() -> None:
    found = sizes()
    assert (found.numbers, found.last) == ([3, 4, 7, 8], 3)
    assert [found.text(index) for index in range(4)] == [640, 540, 340, 40]
    assert [found.pictures(index) for index in range(4)] == [PICTURE_TOKENS, PICTURE_TOKENS, 0, 0]
    assert found.likely(2) == pytest.approx(MARGIN * 340)
    assert found.likely(1, 2.0) == 2 * 540 + PICTURE_TOKENS
    assert found.expected(0) == (found.likely(0), 1920 + TEMPLATE_TOKENS + PICTURE_TOKENS)


def test_an_estimate_has_a_floor() -> None:
    nothing = PromptSizes([], 1, (Size(1600),), lambda _: -5.0)
    assert (nothing.least(0), nothing.text(0)) == (100, 100)
    assert PromptSizes([], 1, (), lambda _: 0.0).text(0) == 1


def test_the_first_that_is_within_a_limit_is_found_between_two() -> None:
    found = sizes([Turn(number, 300) for number in range(1, 101)])
    assert found.first_within(1000, 1.0, 0, 100) == next(n for n in range(1, 100) if found.text(n) <= 1000)
    assert found.first_within(10, 1.0, 0, 100) == 100
    assert found.first_within(1e9, 1.0, 40, 100) == 41
    assert found.first_within(1000, 1.0, 99, 100) == 100


def test_what_is_surely_beyond_a_limit_need_not_be_counted() -> None:
    found = sizes([Turn(number, 16_000) for number in range(1, 11)])
    assert found.last_beyond(3000) == 7
    assert found.least(7) > 3000 >= found.least(8)
    assert found.last_beyond(1e9) == found.last_beyond(10_000) == 0
    assert sizes([]).last_beyond(1) == 0


def test_a_count_tells_how_far_off_the_estimate_was() -> None:
    assert sizes().scale(680, 2) == 2
    assert sizes().scale(PICTURE_TOKENS + 270, 1) == 0.5
    assert sizes().scale(5, 1) > 0
