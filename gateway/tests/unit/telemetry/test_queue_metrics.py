"""What Prometheus reads of the queues: ceilings by replica, lanes by key, and no more names than key metrics give."""

from __future__ import annotations

import pytest

from hayate.backends.openai_compat import OpenAICompatible
from hayate.fleet.fleet import Fleet
from hayate.fleet.spec import DeploymentSpec
from hayate.fleet.waiting import Waiter
from hayate.policy.places import Place
from hayate.telemetry.key_metrics import KeyMetrics
from hayate.telemetry.queue_metrics import QueueMetrics
from tests.unit.telemetry.records import exposed

pytestmark = pytest.mark.anyio


def fleet(*names: str) -> Fleet:
    """A deployment for each name, with one replica and one place."""
    tables = Fleet([spec(name) for name in names], {})
    for each in tables.deployments.values():
        each.gate.resize(1, 100, 0, 0.0)
    return tables


def spec(name: str) -> DeploymentSpec:
    return DeploymentSpec(name, OpenAICompatible(), "m", ("http://a:1",), max_in_flight=1)


def comes(tables: Fleet, name: str, key: str, at: float, *, low: bool = False) -> Place[Waiter]:
    """A call of a key, which is in or waits."""
    deployment = tables.deployments[name]
    place: Place[Waiter] = Place(deployment.gate.lanes.of(key, 1, at, low=low), 10, 20, at)
    if not deployment.gate.try_enter(place):
        deployment.gate.enter(place)
    return place


def told(tables: Fleet, now: float = 0.0, keys: KeyMetrics | None = None) -> set[str]:
    """The samples, a line each."""
    lines = exposed(QueueMetrics(tables, (keys or KeyMetrics()).labels, lambda: now)).splitlines()
    return {line for line in lines if not line.startswith("#")}


async def test_a_ceiling_is_told_with_its_reason() -> None:
    assert told(fleet("qwen")) == {
        'hayate_ceiling{deployment="qwen",replica="qwen/0"} 1.0',
        'hayate_ceiling_spare{deployment="qwen",replica="qwen/0"} 0.0',
        'hayate_ceiling_why{deployment="qwen",replica="qwen/0",why="fixed"} 1.0',
    }


async def test_lanes_are_told_by_key_the_lowered_ones_beside_them() -> None:
    tables = fleet("qwen")
    first = comes(tables, "qwen", "a1", 0.0)
    comes(tables, "qwen", "b2", 1.0)
    tables.deployments["qwen"].gate.leave(first, 50, 2.0)
    for at in (3.0, 4.0, 5.0):
        comes(tables, "qwen", "a1", at)
    comes(tables, "qwen", "a1", 6.0, low=True)
    lines = told(tables, 10.5)
    assert {line for line in lines if "ahead" not in line and "ceiling" not in line} == {
        'hayate_queue_waiting{deployment="qwen",lane="a1"} 3.0',
        'hayate_queue_waiting{deployment="qwen",lane="a1:low"} 1.0',
        'hayate_queue_waiting{deployment="qwen",lane="b2"} 0.0',
        'hayate_queue_in_flight{deployment="qwen",lane="a1"} 0.0',
        'hayate_queue_in_flight{deployment="qwen",lane="a1:low"} 0.0',
        'hayate_queue_in_flight{deployment="qwen",lane="b2"} 1.0',
        'hayate_queue_oldest_seconds{deployment="qwen",lane="a1"} 7.5',
        'hayate_queue_oldest_seconds{deployment="qwen",lane="a1:low"} 4.5',
        'hayate_queue_oldest_seconds{deployment="qwen",lane="b2"} 0.0',
        'hayate_queue_wait_seconds{deployment="qwen",lane="b2",quantile="0.5"} 1.0',
        'hayate_queue_wait_seconds{deployment="qwen",lane="b2",quantile="0.95"} 1.0',
    }
    assert len([line for line in lines if "ahead" in line]) == 3


async def test_there_are_no_more_names_than_key_metrics_give_and_the_sum_is_the_truth() -> None:
    tables = fleet("qwen", "other")
    for name in tables.deployments:
        for number in range(10):
            comes(tables, name, f"k{number}", float(number))
    lines = told(tables, 10.0, KeyMetrics(max_named=3))
    for name in tables.deployments:
        waiting = [line for line in lines if line.startswith(f'hayate_queue_waiting{{deployment="{name}"')]
        assert len(waiting) == 4
        assert sum(float(line.rpartition(" ")[2]) for line in waiting) == 9
    assert 'hayate_queue_waiting{deployment="other",lane="other"} 6.0' in lines
