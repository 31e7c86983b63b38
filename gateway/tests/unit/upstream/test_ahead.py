"""How many connections are opened ahead of need: as many as calls lately had, for as long as is set, and never more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from hayate.upstream.ahead import REFRAIN_S, Ahead

KEEP_S = 60.0
IDLE_S = 4.0


def test_what_goes_for_being_idle_is_owed_for_so_long_after_its_last_call() -> None:
    ahead = Ahead(KEEP_S)
    ahead.closed(1.0)
    ahead.closed(2.0)
    assert ahead.owes == 2
    assert ahead.take(60.5) == 1.0
    assert ahead.take(61.9) == 2.0
    assert ahead.take(61.9) is None
    ahead.closed(2.0)
    assert ahead.take(62.0) is None
    assert ahead.owes == 0


def test_with_0_nothing_is_owed() -> None:
    ahead = Ahead(0.0)
    ahead.closed(1.0)
    assert (ahead.owes, ahead.take(1.0)) == (0, None)


def test_a_call_that_opens_its_own_takes_the_place_of_the_one_used_last() -> None:
    ahead = Ahead(KEEP_S)
    ahead.called()
    for used_at in (1.0, 2.0):
        ahead.closed(used_at)
    ahead.called()
    assert [ahead.take(3.0), ahead.take(3.0)] == [1.0, None]


def test_an_engine_that_does_not_want_them_is_left_alone_for_a_while() -> None:
    ahead = Ahead(KEEP_S)
    ahead.closed(99.0)
    ahead.refrain(100.0)
    assert ahead.take(100.0) is None
    for at in (100.0 + REFRAIN_S - 1, 100.0 + REFRAIN_S):
        ahead.closed(at)
        assert (ahead.take(at) is not None) == (at == 100.0 + REFRAIN_S)


def test_one_that_is_gone_is_left_alone_until_it_is_back() -> None:
    ahead = Ahead(KEEP_S)
    ahead.refrain()
    ahead.closed(1e9)
    assert ahead.take(1e9) is None
    ahead.resume()
    ahead.closed(1e9)
    assert ahead.take(1e9) == 1e9


@dataclass
class Model:
    """A pool without sockets: when each idle or spare connection was last used; how many calls there are."""

    ahead: Ahead = field(default_factory=lambda: Ahead(KEEP_S))
    now: float = 0.0
    busy: int = 0
    idle: list[float] = field(default_factory=list)
    spare: list[float] = field(default_factory=list)
    peaks: list[tuple[float, int]] = field(default_factory=list)

    def begin(self) -> None:
        if self.idle:
            self.idle.pop()
        elif self.spare:
            self.spare.pop()
        else:
            self.ahead.called()
        self.busy += 1
        self.peaks.append((self.now, self.busy))

    def end(self) -> None:
        if self.busy:
            self.busy -= 1
            self.idle.append(self.now)
            self.peaks.append((self.now, self.busy + 1))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        for used_at in [each for each in self.idle if self.now - each >= IDLE_S]:
            self.idle.remove(used_at)
            self.ahead.closed(used_at)
        self.spare = [each for each in self.spare if not self.ahead.is_over(each, self.now)]
        while (owed := self.ahead.take(self.now)) is not None:
            self.spare.append(owed)

    def lately(self) -> int:
        """The most calls at once as long ago as anything of it may be left."""
        return max([self.busy, *(most for at, most in self.peaks if self.now - at < KEEP_S)])


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(1, 9)),
        st.tuples(st.just("end"), st.integers(1, 9)),
        st.tuples(st.just("wait"), st.sampled_from([0.5, 3.0, 5.0, 20.0, 50.0])),
    ),
    max_size=40,
)


@given(STEPS)
def test_there_are_never_more_than_calls_lately_had_at_once_and_after_a_herd_as_many(
    steps: Sequence[tuple[str, float]],
) -> None:
    model = Model()
    for what, much in steps:
        if what == "wait":
            model.wait(much)
            assert len(model.spare) + len(model.idle) + model.busy <= model.lately()
        for _ in range(int(much) if what != "wait" else 0):
            model.begin() if what == "begin" else model.end()
    for _ in range(20):
        model.begin()
    for _ in range(model.busy):
        model.end()
    model.wait(IDLE_S + 1)
    assert len(model.spare) >= 20
    model.wait(KEEP_S)
    assert (model.idle, model.spare) == ([], [])
