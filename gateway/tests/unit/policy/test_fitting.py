"""Which turns go along, against a reference that counts every prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import ceil, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import ContextTooLong
from hayate.policy.fitting import (
    GUESSES,
    LEFT,
    Fit,
    Known,
    Request,
    fewer,
    fitting,
    room_of,
    wants_all,
)
from hayate.policy.prompt_sizes import PICTURE_TOKENS, Size, Turn

WINDOW = 4096


def by_three(size: int) -> float:
    return size / 3


@dataclass
class Talk:
    """A conversation whose tokens are known: what each turn has in bytes and tokens, and what stands before them."""

    turns: list[tuple[int, int]]
    new: tuple[int, int] = (300, 100)
    rest: tuple[int, int] = (90, 30)
    asked: list[int] = field(default_factory=list)

    def request(self, known: Known | None = None, window: int | None = WINDOW, **more: object) -> Request:
        known = known or Known()
        first = 1 if wants_all(known, window) or not more.get("truncates", True) else known.first_turn
        turns = [Turn(n, size) for n, (size, _) in enumerate(self.turns, 1) if n >= first]
        return Request(
            turns=lambda: turns,
            new_turn=len(self.turns) + 1,
            new=Size(self.new[0]),
            rest=Size(self.rest[0]),
            known=known,
            left_out=first - 1,
            **more,  # type: ignore[arg-type]
        )

    def tokens(self, first: int) -> int:
        return self.new[1] + self.rest[1] + sum(tokens for _, tokens in self.turns[first - 1 :])

    def count(self, first: int) -> int:
        """As an engine counts, that remembers what it was asked."""
        self.asked.append(first)
        return self.tokens(first)


def decide(
    request: Request,
    window: int | None = WINDOW,
    count: Callable[[int], int | None] = lambda _: None,
    tokens_of: Callable[[int], float] = by_three,
    deployment: str | None = None,
) -> Fit:
    deciding = fitting(request, window, tokens_of, deployment=deployment)
    try:
        first = next(deciding)
        while True:
            first = deciding.send(count(first))
    except StopIteration as decided:
        found: Fit = decided.value
        return found


def least_left_out(talk: Talk, window: int, output: int | None = None, first: int = 1) -> int:
    """The reference: from which turn on it goes along, by exact counts."""
    room = room_of(window, output)
    if talk.tokens(first) <= room:
        return first
    last = len(talk.turns) + 1
    return next((each for each in range(first, last) if talk.tokens(each) <= LEFT * room), last)


# A turn has at least a byte for each token, and none has hundreds.
sizes = st.integers(1, 900).flatmap(lambda tokens: st.tuples(st.integers(tokens, 8 * tokens + 40), st.just(tokens)))
talks = st.builds(Talk, turns=st.lists(sizes, min_size=1, max_size=60), new=sizes, rest=sizes)
windows = st.integers(512, 20_000)
outputs = st.none() | st.integers(1, 20_000)


def test_a_short_conversation_goes_along_whole_and_nobody_is_asked() -> None:
    talk = Talk([(300, 100)] * 5)
    assert decide(talk.request(), count=talk.count) == Fit(1, 0)
    assert talk.asked == []


def test_near_the_limit_the_exact_count_decides() -> None:
    talk = Talk([(300, 100)] * 33)
    fit = decide(talk.request(), count=talk.count)
    assert fit == Fit(1, 0, near=True, tokens=3430)
    assert talk.asked == [1]


def test_what_fits_no_longer_is_left_out_down_to_three_fifths_of_its_room() -> None:
    talk = Talk([(300, 100)] * 40)
    fit = decide(talk.request(), count=talk.count)
    assert room_of(WINDOW, None) == 3584
    assert fit == Fit(21, 20, near=True, window=WINDOW, tokens=2130)
    assert talk.asked == [1, 21, 20]


def test_where_nobody_counts_the_estimate_decides_with_its_margin() -> None:
    talk = Talk([(300, 100)] * 40)
    fit = decide(talk.request())
    assert fit == Fit(24, 23, near=True, window=WINDOW)
    assert 1.15 * talk.tokens(fit.first_turn) <= LEFT * 3584 < 1.15 * talk.tokens(fit.first_turn - 1)
    assert decide(Talk([(300, 100)] * 28).request()) == Fit(1, 0, near=True)


def test_who_stops_counting_in_the_middle_is_not_waited_for() -> None:
    talk = Talk([(300, 150)] * 40)
    answers = iter([talk.tokens(1)])
    fit = decide(talk.request(), count=lambda _: next(answers, None))
    assert talk.tokens(fit.first_turn) <= LEFT * 3584
    assert fit.tokens is None


def test_what_the_engine_counted_last_is_not_estimated_again() -> None:
    wrong = Talk([(3000, 100)] * 20)  # an estimate would find 20,000 tokens
    known = Known(tokens=wrong.tokens(1) - wrong.new[1])
    request = replace(wrong.request(known), turns=pytest.fail)
    assert decide(request, count=wrong.count) == Fit(1, 0)
    assert wrong.asked == []


def test_what_the_same_engine_counted_is_near_enough_until_it_could_be_too_much() -> None:
    talk = Talk([(300, 100)] * 31, new=(60, 20))
    known = Known(tokens=3130, deployment="qwen")
    assert decide(talk.request(known), count=talk.count, deployment="qwen") == Fit(1, 0)
    assert talk.asked == []
    for deployment in ("llama", None):
        assert decide(talk.request(known), count=talk.count, deployment=deployment) == Fit(1, 0, near=True, tokens=3150)
    talk.new = (600, 20)
    assert decide(talk.request(known), count=talk.count, deployment="qwen").near


def test_tools_that_are_new_are_counted_upon_it() -> None:
    talk = Talk([(300, 100)] * 20, rest=(9000, 3000))
    known = Known(tokens=2130, rest=90)
    assert decide(talk.request(known), count=talk.count).omitted == 20
    assert decide(talk.request(replace(known, rest=9000)), count=talk.count) == Fit(1, 0)


def test_a_turn_that_is_gone_on_with_stays_and_is_not_new() -> None:
    turns = [Turn(number, 300) for number in range(1, 11)]
    known = Known(tokens=2500, rest=90)
    request = Request(turns=lambda: turns, new_turn=11, new=Size(300), rest=Size(90), current=Size(4500), known=known)
    assert decide(request) == Fit(1, 0)
    assert decide(replace(request, known=Known()), 3000).first_turn > 1
    assert decide(request, 2048).first_turn == 11


def test_a_large_new_turn_is_counted_if_it_could_be_too_long() -> None:
    talk = Talk([(300, 100)] * 5, new=(3200, 3200))
    known = Known(tokens=530)
    assert decide(talk.request(known), count=talk.count).omitted == 5
    assert talk.asked[0] == 1


def test_the_cut_stays_where_it_is_while_the_rest_fits() -> None:
    talk = Talk([(300, 100)] * 45)
    known = Known(first_turn=21, window=WINDOW, tokens=2600)
    assert decide(talk.request(known), count=talk.count) == Fit(21, 20, window=WINDOW)
    known = replace(known, tokens=None)
    assert decide(talk.request(known), count=talk.count) == Fit(21, 20, near=True, window=WINDOW, tokens=2630)
    later = Talk([(300, 100)] * 60)
    assert decide(later.request(known), count=later.count) == Fit(41, 40, near=True, window=WINDOW, tokens=2130)


def test_turns_come_back_when_the_context_is_larger() -> None:
    talk = Talk([(300, 100)] * 60)
    known = Known(first_turn=45, window=2048, tokens=1500)
    assert wants_all(known, WINDOW)
    assert not wants_all(known, 2048)
    assert not wants_all(known, None)
    assert decide(talk.request(known), 32_768, talk.count) == Fit(1, 0)
    some = decide(talk.request(known), 6000, talk.count)
    assert some == Fit(31, 30, near=True, window=6000, tokens=3130)
    known = Known(first_turn=35, window=2048)
    none = decide(talk.request(known), WINDOW, talk.count)
    assert none == Fit(35, 34, near=True, window=WINDOW, tokens=2730)
    assert not wants_all(Known(first_turn=none.first_turn, window=none.window), WINDOW)
    guessed = decide(talk.request(known), WINDOW)
    assert guessed == Fit(35, 34, near=True, window=WINDOW)


def test_a_smaller_context_leaves_out_more_and_remembers_for_which() -> None:
    talk = Talk([(300, 100)] * 10)
    assert decide(talk.request(), 1000, talk.count) == Fit(8, 7, near=True, window=1000, tokens=430)


def test_without_a_known_context_all_go_along_as_before() -> None:
    talk = Talk([(3000, 1000)] * 40)
    assert decide(talk.request(), None) == Fit(1, 0)
    assert decide(talk.request(Known(first_turn=30, window=900)), None).first_turn in (1, 30)


def test_who_wants_nothing_left_out_is_told_how_long_it_would_be() -> None:
    talk = Talk([(300, 100)] * 60)
    with pytest.raises(ContextTooLong, match=r"6130 tokens.*4096 tokens") as refused:
        decide(talk.request(truncates=False), count=talk.count)
    assert refused.value.param == "truncation"
    assert "6130トークン" in refused.value.japanese
    assert decide(talk.request(truncates=False)) == Fit(1, 0, near=True)  # the engine says it
    longer = Known(first_turn=30, window=WINDOW, tokens=3000)
    with pytest.raises(ContextTooLong):
        decide(talk.request(longer, truncates=False), count=talk.count)
    assert decide(talk.request(longer, truncates=False), 32_768, talk.count) == Fit(1, 0)
    assert decide(talk.request(longer, truncates=False), None, talk.count) == Fit(1, 0)


def test_what_is_too_long_alone_is_the_engines_to_refuse_unless_it_has_counted() -> None:
    alone = Talk([], new=(30_000, 9000))
    assert decide(alone.request()) == Fit(1, 0, near=True)
    with pytest.raises(ContextTooLong, match="9030 tokens") as refused:
        decide(alone.request(), count=alone.count)
    assert refused.value.param == "messages"
    with_turns = Talk([(300, 100)] * 3, new=(30_000, 9000))
    assert decide(with_turns.request(), count=with_turns.count).first_turn == 4


def test_pictures_count_with_what_they_usually_are() -> None:
    turns = [Turn(1, 100, media=1), Turn(2, 100, media=1)]
    request = Request(turns=lambda: turns, new_turn=3, new=Size(100))
    assert decide(request, 6000, lambda _: 100) == Fit(1, 0, near=True, tokens=100 + 2 * PICTURE_TOKENS)
    assert decide(request, 4096, lambda _: 100).first_turn == 2
    assert decide(replace(request, new=Size(100, 1)), 4096, lambda _: 100).first_turn == 3


def test_an_answer_has_its_part_of_the_context_but_no_more_than_half() -> None:
    assert room_of(8192, None) == 7168
    assert room_of(131_072, None) == 131_072 - 4096
    assert room_of(8192, 100) == 8092
    assert room_of(8192, 8192) == 4096


def test_after_a_refusal_fewer_turns_are_sent_until_none_are_left() -> None:
    talk = Talk([(300, 400)] * 40)  # the estimate is far too low
    request, sent, tries = talk.request(), decide(talk.request()), 0
    while talk.tokens(sent.first_turn) > WINDOW:
        again = fewer(request, sent, WINDOW, by_three)
        assert again is not None
        assert again.first_turn > sent.first_turn
        sent, tries = again, tries + 1
    assert tries < 4
    assert fewer(request, Fit(41, 40), WINDOW, by_three) is None
    assert fewer(replace(request, truncates=False), Fit(1, 0), WINDOW, by_three) is None
    assert fewer(request, Fit(1, 0), None, by_three) is not None


def test_a_prompt_that_is_far_too_long_is_not_counted() -> None:
    talk = Talk([(300, 100)] * 5000)
    fit = decide(talk.request(), count=talk.count)
    assert fit.first_turn == least_left_out(talk, WINDOW)
    assert max(talk.tokens(first) for first in talk.asked) < 6 * WINDOW


@given(talks, windows, outputs)
def test_exact_counts_leave_out_what_a_count_of_every_prompt_would(talk: Talk, window: int, output: int | None) -> None:
    fit = decide(talk.request(output=output), window, talk.count)
    assert fit.first_turn == least_left_out(talk, window, output)
    assert fit.omitted == fit.first_turn - 1
    assert talk.tokens(fit.first_turn) <= room_of(window, output) or fit.first_turn == len(talk.turns) + 1
    assert fit.tokens in (None, talk.tokens(fit.first_turn))
    assert len(talk.asked) <= 1 + GUESSES + ceil(log2(len(talk.turns) + 1))
    assert len(set(talk.asked)) == len(talk.asked)


@given(talks, windows, outputs)
def test_estimates_leave_out_no_more_than_needed(talk: Talk, window: int, output: int | None) -> None:
    room, last = room_of(window, output), len(talk.turns) + 1
    first = decide(talk.request(output=output), window).first_turn

    def expected(first: int) -> float:
        return 1.15 * (talk.new[0] + talk.rest[0] + sum(size for size, _ in talk.turns[first - 1 :])) / 3

    if expected(1) <= room:
        assert first == 1
    else:
        assert first == last or expected(first) <= LEFT * room
        assert first > 1
        assert first == 2 or expected(first - 1) > LEFT * room


@given(talks, windows, st.floats(0.2, 5))
def test_however_wrong_the_estimates_are_exact_counts_decide(talk: Talk, window: int, wrong: float) -> None:
    fit = decide(talk.request(), window, talk.count, lambda size: wrong * size / 3)
    assert fit.first_turn == least_left_out(talk, window)


@given(st.lists(sizes, min_size=1, max_size=80), windows, st.sampled_from([None, "", "qwen"]))
def test_a_conversation_never_goes_back_and_never_is_too_long(
    turns: Sequence[tuple[int, int]], window: int, counts: str | None
) -> None:
    talk, known, before = Talk([]), Known(), 1
    for size, tokens in turns:
        talk.new = (size // 2 + 1, max(1, tokens // 2))
        fit = decide(talk.request(known, window), window, talk.count, deployment="qwen")
        assert fit.first_turn == least_left_out(talk, window, first=before)
        assert fit.first_turn >= before
        before = fit.first_turn
        answer = (size // 2 + 1, max(1, tokens // 2))
        used = None if counts is None else talk.tokens(before) + answer[1]
        talk.turns.append((talk.new[0] + answer[0], talk.new[1] + answer[1]))
        known = Known(first_turn=fit.first_turn, window=fit.window, tokens=used, deployment=counts)


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("tokens", [50, 100, 250])
def test_equal_turns_change_the_beginning_once_in_many(tokens: int, counts: bool) -> None:
    talk, known, cuts = Talk([], new=(3 * tokens // 2, tokens // 2)), Known(), []
    for number in range(1, 201):
        fit = decide(talk.request(known), count=talk.count if counts else lambda _: None)
        if fit.first_turn != known.first_turn:
            cuts.append(number)
        used = talk.tokens(fit.first_turn) + tokens // 2
        talk.turns.append((3 * tokens, tokens))
        known = Known(first_turn=fit.first_turn, window=fit.window, tokens=used)
    between = [later - earlier for earlier, later in pairwise(cuts)]
    assert len(between) > 2
    assert min(between) >= (1 - LEFT) * room_of(WINDOW, None) // tokens - 1
    assert talk.tokens(known.first_turn) <= WINDOW + tokens
