"""Looks at the deployments: what ends and what is on its way are counted once, and minutes are handed on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from hayate.backends.openai_compat import OpenAICompatible
from hayate.fleet.fleet import Fleet
from hayate.fleet.spec import DeploymentSpec
from hayate.relay.ticker import Ticker
from hayate.serve.figures import Watching
from hayate.telemetry.calls import EndedCalls
from hayate.telemetry.figures import COLUMNS, LOOKS, Row
from hayate.telemetry.metrics import Metrics
from hayate.wire.usage import Usage
from tests.reliability.test_periodic_work import stream_of
from tests.support.waiting import eventually
from tests.unit.telemetry.records import record

pytestmark = pytest.mark.anyio


class Scene:
    """Two deployments, watched."""

    def __init__(self) -> None:
        specs = [DeploymentSpec(name, OpenAICompatible(), "m", ("http://127.0.0.1:1",)) for name in ("a", "b")]
        self.fleet = Fleet(specs, {})
        self.metrics = Metrics(self.fleet)
        self.calls = EndedCalls([self.metrics.calls])
        self.ticker = Ticker(3600.0)
        self.kept: list[Mapping[str, Row]] = []
        self.watching = Watching(
            self.fleet, self.metrics, self.calls, self.ticker, lambda _, rows: self.kept.append(rows), 0.0
        )

    def made(self, name: str) -> int:
        """Tokens of a deployment, as the last look has counted them."""
        return self.metrics.figures._tracks[name].step.made


async def test_tokens_of_calls_that_ended_and_of_streams_on_their_way_are_counted_once() -> None:
    scene = Scene()
    await scene.watching.look()
    assert (scene.made("a"), scene.made("b")) == (0, 0)
    scene.calls.add(record(deployment="a", usage=Usage(5, 7, exact=True)), 102.0)
    stream = stream_of(scene.fleet.deployments["b"].replicas[0])
    scene.ticker.add(stream)
    await scene.watching.look()
    assert (scene.made("a"), scene.made("b")) == (7, 10)
    scene.ticker.discard(stream)
    scene.calls.add(record(deployment="b", usage=Usage(5, 12, exact=True)), 102.0)
    await scene.watching.look()
    assert (scene.made("a"), scene.made("b")) == (7, 12)
    scene.ticker.close()


async def test_each_minute_is_handed_on_once() -> None:
    scene = Scene()
    for _ in range(2 * LOOKS + 1):
        await scene.watching.look()
    assert [list(each) for each in scene.kept] == [["a", "b"], ["a", "b"]]
    assert {len(row) for each in scene.kept for row in each.values()} == {len(COLUMNS)}


async def test_it_looks_again_and_again_until_it_is_cancelled() -> None:
    scene = Scene()
    task = asyncio.create_task(scene.watching.run())
    await eventually(lambda: len(scene.metrics.figures.samples) > 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
