"""Ids: ordered by time, never twice, and a range of time is a range of ids."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hayate.store.ids import MAX_MS, Ids, first_id, made_at

moments = st.floats(1_700_000_000, 4_000_000_000)


@given(st.lists(moments, min_size=1, max_size=100))
def test_they_only_go_up_whatever_the_clock_does(times: list[float]) -> None:
    ids = Ids()
    made = [ids.make(at) for at in times]
    assert made == sorted(set(made))


@given(moments)
def test_they_tell_when_and_fit_64_bits(at: float) -> None:
    made = Ids().make(at)
    assert first_id(at) <= made < 2**63
    assert abs(made_at(made) - at) < 0.002


def test_many_of_one_millisecond_are_different() -> None:
    ids = Ids(start=0)
    made = [ids.make(1_800_000_000.0) for _ in range(5000)]
    assert len({*made}) == 5000
    assert made_at(made[-1]) == 1_800_000_000.0


@given(st.floats(-1e12, 1e12))
def test_a_time_that_ids_can_not_tell_is_the_nearest_that_they_can(at: float) -> None:
    found = first_id(at)
    assert 0 <= found < 2**63
    assert made_at(found) == min(MAX_MS, max(0, int(at * 1000))) / 1000
