"""The busiest keys by their ids: bounded, and no sum ever goes down, whoever comes and goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from hayate.telemetry.key_metrics import MAX_NAMED, OTHER, KeyMetrics
from hayate.wire.usage import Usage
from tests.unit.telemetry.records import exposed, record

Numbers = dict[tuple[str, str, str], float]
"""By metric, key, and outcome or type."""


def numbers(metrics: KeyMetrics) -> Numbers:
    return {
        (sample.name, sample.labels["key"], sample.labels.get("outcome") or sample.labels["type"]): sample.value
        for family in text_string_to_metric_families(exposed(metrics))
        for sample in family.samples
    }


def sums(found: Numbers) -> Counter[tuple[str, str]]:
    total: Counter[tuple[str, str]] = Counter()
    for (metric, _, what), value in found.items():
        total[metric, what] += int(value)
    return total


def keys(metrics: KeyMetrics) -> set[str]:
    return {key for _, key, _ in numbers(metrics)}


def call(metrics: KeyMetrics, key: str, times: int = 1) -> None:
    for _ in range(times):
        metrics.calls_ended([record(key=key, usage=Usage(3, 2, 1))])


def test_calls_and_tokens_are_counted_by_key_and_outcome() -> None:
    metrics = KeyMetrics()
    usage = Usage(prompt_tokens=5, completion_tokens=7, cached_tokens=4)
    metrics.calls_ended([record(key="main", usage=usage), record(key="main", status=429)])
    metrics.calls_ended([record(key="main", status=503), record(key="0a1b2c3d4e5f", status=499, usage=usage)])
    assert numbers(metrics) == {
        ("hayate_key_calls_total", "main", "ok"): 1,
        ("hayate_key_calls_total", "main", "refused"): 1,
        ("hayate_key_calls_total", "main", "failed"): 1,
        ("hayate_key_calls_total", "0a1b2c3d4e5f", "left"): 1,
        **{
            ("hayate_key_tokens_total", key, kind): count
            for key in ("main", "0a1b2c3d4e5f")
            for kind, count in (("input", 5), ("cached", 4), ("output", 7))
        },
    }


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([200, 404, 499, 502])), max_size=200))
def test_no_number_and_no_sum_ever_goes_down_and_the_sums_are_true(calls: Iterable[tuple[str, int]]) -> None:
    metrics, truth, before = KeyMetrics(max_named=2, max_candidates=3), Counter[str](), Numbers()
    for key, status in calls:
        metrics.calls_ended([record(key=key, status=status, usage=Usage(3, 2, 1))])
        truth.update({"calls": 1, "input": 3, "output": 2, "cached": 1})
        now = numbers(metrics)
        assert all(now[each] >= before[each] for each in now.keys() & before.keys())
        found = sums(now)
        assert sum(count for (metric, _), count in found.items() if "calls" in metric) == truth["calls"]
        assert all(found["hayate_key_tokens_total", kind] == truth[kind] for kind in ("input", "output", "cached"))
        assert len(keys(metrics)) <= 3
        before = now


def test_whoever_becomes_twice_as_busy_takes_the_idlest_ones_place() -> None:
    metrics = KeyMetrics(max_named=2)
    call(metrics, "first", 10)
    call(metrics, "second", 5)
    call(metrics, "third", 9)
    assert keys(metrics) == {"first", "second", OTHER}
    call(metrics, "third")
    assert keys(metrics) == {"first", "third", OTHER}
    found = numbers(metrics)
    assert found["hayate_key_calls_total", "third", "ok"] == 1
    assert found["hayate_key_calls_total", OTHER, "ok"] == 9 + 5


def test_a_key_that_gave_its_place_up_comes_back_by_all_that_it_ever_did() -> None:
    metrics = KeyMetrics(max_named=1)
    call(metrics, "first", 10)
    call(metrics, "second", 20)
    assert keys(metrics) == {"second", OTHER}
    call(metrics, "first", 30)
    assert keys(metrics) == {"first", OTHER}


def test_a_crowd_of_idle_keys_takes_a_bounded_room_and_no_names() -> None:
    metrics = KeyMetrics(max_candidates=50)
    for number in range(MAX_NAMED):
        call(metrics, f"busy{number}", 2)
    for number in range(500):
        call(metrics, f"idle{number}")
    assert keys(metrics) == {*(f"busy{number}" for number in range(MAX_NAMED)), OTHER}
    assert len(metrics._candidates) <= 50
    call(metrics, "busier", 4)
    assert "busier" in keys(metrics)


def test_other_metrics_name_keys_as_these_do_and_only_as_many_more_as_there_is_room_for() -> None:
    metrics = KeyMetrics(max_named=3)
    metrics.calls_ended([record(key="a"), record(key="b")])
    assert metrics.labels(["x", "y", "b", "x", "z"]) == {"x": "x", "y": OTHER, "b": "b", "z": OTHER}
    metrics.calls_ended([record(key="c")])
    assert metrics.labels(["x", "a"]) == {"x": OTHER, "a": "a"}
    assert metrics.labels([]) == {}
