"""How long a replica may give nothing before that is odd."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.policy.progress import FACTOR, HALF_LIFE_S, LEAST_S, SAMPLES, Progress


def learned(*silences_s: float, most_s: float = 30.0) -> Progress:
    progress, now = Progress(most_s), 100.0
    progress.began(now)
    for each in silences_s:
        now += each
        progress.moved(now)
    return progress


def test_of_a_replica_that_is_not_known_yet_the_setting_speaks() -> None:
    progress = learned(*[0.1] * (SAMPLES - 1))
    assert progress.limit_s() == 30.0
    assert not progress.odd(progress.last + 30.0)
    assert progress.odd(progress.last + 30.1)


@pytest.mark.parametrize(("longest_s", "limit_s"), [(0.1, LEAST_S), (4.0, 4.0 * FACTOR), (25.0, 30.0)])
def test_a_few_times_its_longest_silence_is_odd_within_bounds(longest_s: float, limit_s: float) -> None:
    assert learned(0.1, longest_s, 0.1, 0.1).limit_s() == pytest.approx(limit_s, rel=0.01)


def test_a_setting_below_the_least_wins() -> None:
    assert learned(*[0.1] * 9, most_s=0.5).limit_s() == 0.5


def test_what_was_long_ago_fades() -> None:
    progress = learned(8.0, *[1.0] * int(HALF_LIFE_S))
    assert progress.longest_s == pytest.approx(4.0, rel=0.02)


def test_the_time_without_calls_is_no_silence() -> None:
    progress = learned(0.1, 0.1, 0.1)
    progress.began(10_000.0)
    assert not progress.odd(10_001.0)
    progress.moved(10_000.2)
    assert progress.longest_s == pytest.approx(0.2)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1000)), max_size=60), st.floats(0.01, 600))
def test_the_limit_stays_within_its_bounds(happened: list[tuple[bool, float]], most_s: float) -> None:
    progress, now = Progress(most_s), 0.0
    for came, after_s in happened:
        now += after_s
        if came:
            progress.moved(now)
        else:
            progress.began(now)
        assert min(LEAST_S, most_s) <= progress.limit_s() <= most_s
        assert progress.longest_s <= now


def test_the_pace_is_kept_where_it_is_wanted() -> None:
    progress = Progress()
    progress.paced(10, 1.0)
    assert progress.gaps is None
    progress.watch_pace(wanted=True)
    progress.paced(10, 1.0)
    progress.paced(0, 1.0)
    progress.watch_pace(wanted=True)
    assert list(progress.gaps or ()) == [0.1]
    progress.watch_pace(wanted=False)
    assert progress.gaps is None
