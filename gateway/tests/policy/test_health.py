"""When a replica is thrown out, and when it is taken back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hayate.policy.health import PROBES_TO_FAIL, Health


def fail(health: Health, now: float, times: int = 1, *, connecting: bool = False) -> list[bool]:
    return [health.failed(now, connecting=connecting) for _ in range(times)]


def test_five_failures_in_a_row_throw_a_replica_out_for_thirty_seconds() -> None:
    health = Health()
    assert fail(health, 100.0, 4) == [False] * 4
    assert health.available(100.0)
    assert fail(health, 100.0) == [True]
    assert not health.available(129.9)
    assert health.back_in_s(110.0) == 20.0
    assert health.available(130.0)
    assert health.back_in_s(130.0) == 0.0


def test_a_success_ends_the_row() -> None:
    health = Health()
    fail(health, 0.0, 4)
    health.succeeded(0.0)
    assert fail(health, 0.0, 4) == [False] * 4
    assert health.available(0.0)


def test_each_ejection_lasts_longer_than_the_one_before() -> None:
    health, now = Health(), 0.0
    for number in (1, 2, 3):
        fail(health, now, 5)
        assert health.back_in_s(now) == 30.0 * number
        now += 30.0 * number


def test_a_good_time_forgets_one_ejection() -> None:
    health = Health()
    fail(health, 0.0, 5)
    fail(health, 30.0, 5)
    assert health.ejections == 2
    health.succeeded(100.0)
    assert health.ejections == 2
    health.succeeded(121.0)
    assert health.ejections == 1
    health.succeeded(122.0)
    assert health.ejections == 1
    health.succeeded(152.0)
    assert health.ejections == 0


def test_failures_of_calls_that_were_under_way_do_not_extend_an_ejection() -> None:
    health = Health()
    fail(health, 0.0, 5)
    fail(health, 1.0, 20)
    assert health.back_in_s(1.0) == 29.0
    assert health.ejections == 1


def test_failed_probes_take_a_replica_out_until_one_succeeds() -> None:
    health = Health()
    health.probe_succeeded(0.0)
    for _ in range(PROBES_TO_FAIL):
        assert health.available(0.0)
        health.probe_failed()
    assert not health.available(1000.0)
    health.probe_succeeded(1000.0)
    assert health.available(1000.0)


def test_a_replica_is_ready_once_seen_to_answer() -> None:
    health = Health()
    assert health.available(0.0)  # it may be tried
    assert not health.ready(0.0)
    health.probe_succeeded(0.0)
    assert health.ready(0.0)
    health.probe_failed()
    assert not health.ready(0.0)
    health.probe_succeeded(0.0)
    fail(health, 0.0, 5)
    assert not health.ready(0.0)
    assert health.ready(30.0)


def test_a_restarted_engine_is_back_with_its_first_good_probe() -> None:
    health = Health()
    fail(health, 0.0, 5, connecting=True)
    assert not health.available(2.0)
    health.probe_succeeded(2.0)
    assert health.available(2.0)


def test_a_hung_engine_that_still_answers_probes_stays_out() -> None:
    health = Health()
    fail(health, 0.0, 1)
    fail(health, 0.0, 4, connecting=True)
    health.probe_succeeded(2.0)
    assert not health.available(2.0)
    assert health.available(30.0)


events = st.lists(
    st.tuples(st.sampled_from(["succeeded", "failed", "refused", "probe ok", "probe failed"]), st.floats(0, 50)),
    max_size=60,
)


@given(events)
def test_whatever_happens_a_replica_is_never_out_for_good(happened: list[tuple[str, float]]) -> None:
    health, now = Health(), 0.0
    for what, after_s in happened:
        now += after_s
        if what == "succeeded":
            health.succeeded(now)
        elif what in ("failed", "refused"):
            health.failed(now, connecting=what == "refused")
        elif what == "probe ok":
            health.probe_succeeded(now)
        else:
            health.probe_failed()
        assert 0 <= health.back_in_s(now) <= 30.0 * health.ejections + 1e-6
        assert health.ejections >= 0
    health.probe_succeeded(now)
    assert health.available(now + 30.0 * max(1, health.ejections) + 1e-6)
