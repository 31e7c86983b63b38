"""Ids: ordered by time, never twice, and a range of time is a range of ids."""

from __future__ import annotations

import pytest
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


@pytest.mark.parametrize(("at", "nearest"), [(-1e12, 0.0), (253_402_300_799.0, MAX_MS / 1000)])
def test_a_time_that_no_id_has_is_the_nearest_that_has(at: float, nearest: float) -> None:
    assert made_at(first_id(at)) == nearest
    assert 0 <= first_id(at) < 2**63
