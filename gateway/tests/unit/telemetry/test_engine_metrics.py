"""What happens to engines adds up by deployment, and where each is now is told."""

from __future__ import annotations

import re

import pytest

from hayate.engines.base import LoadFailed
from hayate.reasons import Reason
from hayate.telemetry.engine_metrics import EngineMetrics
from hayate.telemetry.exposition import pieces
from tests.support.waiting import eventually
from tests.unit.fleet.switched import managed, switching

pytestmark = pytest.mark.anyio

ROW = re.compile(r"^(hayate_engine_\w+)\{([^}]*)\} (\S+)$", re.MULTILINE)


def rows(metrics: EngineMetrics) -> dict[str, float]:
    """By name and labels; the buckets are left out."""
    found = ROW.findall("".join(pieces([metrics])))
    return {f"{name}{{{labels}}}": float(value) for name, labels, value in found if not name.endswith("_bucket")}


async def test_loads_unloads_and_failures_are_counted() -> None:
    metrics = EngineMetrics()
    assert rows(metrics) == {}
    async with switching(managed("fast"), managed("broken")) as switched:
        metrics.residents = switched.driver.residents
        switched.counts = metrics.happened
        assert rows(metrics) == {
            'hayate_engine_state{deployment="fast",state="unloaded"}': 1,
            'hayate_engine_state{deployment="broken",state="unloaded"}': 1,
        }
        switched.engines["broken"].fails = LoadFailed("It broke.", "壊れました。", Reason.OUT_OF_MEMORY)
        await switched.driver.load("fast")
        await switched.driver.unload("fast")
        await switched.driver.load("fast")
        switched.engines["fast"].dies()
        await eventually(lambda: switched.loaded() == {"fast"})
        await eventually(lambda: 'hayate_engine_loads_total{deployment="fast",outcome="loaded"}' in rows(metrics))
        await eventually(lambda: rows(metrics)['hayate_engine_loads_total{deployment="fast",outcome="loaded"}'] == 3)
        with pytest.raises(Exception, match="broken"):
            await switched.driver.load("broken")
        told = rows(metrics)
    assert told['hayate_engine_loads_total{deployment="broken",outcome="failed"}'] == 1
    assert told['hayate_engine_unloads_total{deployment="fast",why="operator"}'] == 1
    assert told['hayate_engine_unloads_total{deployment="fast",why="crashed"}'] == 1
    assert told['hayate_engine_load_seconds_count{deployment="fast"}'] == 3
    assert told['hayate_engine_state{deployment="broken",state="failed"}'] == 1
