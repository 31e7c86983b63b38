"""What each key used of each model in the last minute, as a new process finds it in the record: nothing is missing, whatever
the rate, and what comes after keeps to the limits.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from hayate.access.counters import Past
from hayate.access.grants import Asked, Grants
from hayate.access.principals import Principal
from hayate.access.terms import Terms
from hayate.errors import RateLimited
from hayate.settings import RateLimits
from hayate.store.last_minute import LatelyUsed, lately
from hayate.store.schema import calls
from hayate.store.store import Store
from tests.unit.access.test_grants import Clock
from tests.unit.policy.test_windows import worst_minute
from tests.unit.store.conftest import Make

NOW = 1_800_000_000.0
BOOT = NOW - 5000
"""Where the clock that counts began."""


def found(store: Store, make: Make, *records: Mapping[str, object]) -> list[LatelyUsed]:
    store.calls_ended([make(**each) for each in records])
    wait(store)
    with store.engine.connect() as connection:
        return list(lately(connection, NOW, -BOOT))


def wait(store: Store) -> None:
    deadline = time.monotonic() + 60
    while store.writer.backlog:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_calls_of_one_second_are_one_row_by_key_and_model(store: Store, make: Make) -> None:
    at = {"started": 0.0, "ended": 0.5, "ended_at": NOW - 9.1, "ttft_s": 0.1}
    rows = found(store, make, at, at, at | {"model": "smart"}, at | {"key": "game"})
    assert sorted(rows) == [
        ("game", "fast", 4990, 1, 10, 5),
        ("main", "fast", 4990, 2, 20, 10),
        ("main", "smart", 4990, 1, 10, 5),
    ]


def test_requests_count_when_they_began_and_tokens_no_earlier_than_they_were_reserved(store: Store, make: Make) -> None:
    """A call that began 40 s ago, waited 10 s for a place, and had its first token 15 s after it began; one that was not
    streamed.
    """
    streamed = {"started": 0.0, "ended": 35.0, "ended_at": NOW - 5, "queued_s": 10.0, "ttft_s": 15.0}
    whole = {"key": "game", "started": 0.0, "ended": 30.0, "ended_at": NOW - 10, "ttft_s": None}
    assert sorted(found(store, make, whole, streamed)) == [
        ("game", "fast", 4960, 1, 0, 0),
        ("game", "fast", 4990, 0, 10, 5),
        ("main", "fast", 4960, 1, 0, 0),
        ("main", "fast", 4965, 0, 10, 5),
    ]


def test_what_was_refused_before_any_engine_was_asked_and_what_is_older_counts_for_nothing(
    store: Store, make: Make
) -> None:
    refused = {"ended_at": NOW - 1, "attempts": 0, "status": 429, "error": "rate_limited"}
    assert found(store, make, {"ended_at": NOW - 63}, refused) == []


def test_a_clock_that_was_far_ahead_once_counts_for_nothing(store: Store, make: Make) -> None:
    assert sum(each.requests for each in found(store, make, {"ended_at": NOW + 60}, {"ended_at": NOW + 86_400})) == 1


def test_any_rate_is_remembered_and_read_as_one_row_a_second(store: Store, make: Make) -> None:
    store.calls_ended([make(ended_at=NOW - 0.5, key="game")])
    wait(store)
    with store.engine.begin() as connection:
        like = dict(connection.execute(calls.select()).mappings().one())
        connection.execute(insert(calls), [{**like, "id": like["id"] - n * 2**21} for n in range(1, 60_000)])
        rows = list(lately(connection, NOW, -BOOT))
    assert sum(each.requests for each in rows) == 60_000
    assert sum(each.outputs for each in rows) == 300_000
    assert len(rows) <= 2 * 63


class Life:
    """One key of one gateway at random, and the clocks that its processes see: that which counts, and the wall's."""

    def __init__(self, limit: int) -> None:
        self.clock, self.wall = Clock(), NOW
        self.limit = limit
        limits = RateLimits(requests_per_minute=limit, tokens_per_minute=limit)
        self.key = Principal("game", "games", terms=Terms(limits=limits))
        self.grants = Grants(self.clock)
        self.requests: list[tuple[float, int]] = []
        self.tokens: list[tuple[float, int]] = []
        self.records: list[dict[str, object]] = []

    def pass_time(self, gap_s: float) -> None:
        self.clock.at += gap_s
        self.wall += gap_s

    def call(self, size: int, reading_s: float, lasts_s: float, *, streams: bool) -> None:
        """One that uses all that it reserved, if it is let through; its body takes `reading_s` to come."""
        came, grant = self.clock.at, self.grants.grant(self.key, RateLimits())
        try:
            grant.enter(came)
            self.pass_time(reading_s)
            grant.reserve(Asked("fast", "qwen", 3 * (min(size, self.limit) - 1), 0, None))
        except RateLimited:
            return
        self.requests.append((came, 1))
        self.tokens.append((self.clock.at, min(size, self.limit)))
        ended = self.clock.at + lasts_s
        self.records.append(
            {
                "key": "game",
                "started": came,
                "ended": ended,
                "ended_at": self.wall + lasts_s,
                "ttft_s": self.clock.at + lasts_s / 2 - came if streams else None,
                "tokens": (min(size, self.limit), 0, 0),
            }
        )

    def restart(self, store: Store, make: Make, set_back_s: float) -> None:
        """All calls end; the wall's clock is set back; another process goes on."""
        self.pass_time(max([0.0, *(float(str(each["ended"])) - self.clock.at for each in self.records)]))
        store.calls_ended([make(**each) for each in self.records])
        wait(store)
        self.wall -= set_back_s
        self.grants = Grants(self.clock)
        with store.engine.begin() as connection:
            for used in lately(connection, self.wall, self.clock.at - self.wall):
                self.grants.remember(used.key, Past(*used[1:]))
            connection.execute(calls.delete())


some_calls = st.lists(
    st.tuples(st.floats(0, 20), st.integers(1, 50), st.sampled_from((0.0, 3.0)), st.floats(0, 40), st.booleans()),
    max_size=60,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example leaves the store empty
@given(limit=st.integers(1, 1000), before=some_calls, after=some_calls, set_back_s=st.floats(0, 30))
def test_limits_hold_across_a_restart(
    store: Store,
    make: Make,
    limit: int,
    before: list[tuple[float, int, float, float, bool]],
    after: list[tuple[float, int, float, float, bool]],
    set_back_s: float,
) -> None:
    life = Life(limit)
    for n, (gap_s, size, reading_s, lasts_s, streams) in enumerate([*before, *after]):
        if n == len(before):
            life.restart(store, make, set_back_s)
        life.pass_time(gap_s)
        life.call(size, reading_s, lasts_s, streams=streams)
    assert worst_minute(life.requests) <= limit
    assert worst_minute(life.tokens) <= limit
