"""What a look at the deployments finds, what changed since the one before, and how much is remembered of it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from hayate.backends.openai_compat import OpenAICompatible
from hayate.fleet.fleet import Fleet
from hayate.fleet.spec import DeploymentSpec
from hayate.telemetry.figures import (
    COLUMNS,
    KEPT,
    LOOKS,
    MOST_REPLICAS,
    OF_REPLICAS,
    STEP_S,
    Figures,
    Look,
    Row,
    Sample,
)
from hayate.telemetry.metrics import CallMetrics
from hayate.wire.usage import Usage
from tests.unit.telemetry.records import record

pytestmark = pytest.mark.anyio

AT = 1_790_000_000.0


class Scene:
    """Deployments, calls that end there, and looks STEP_S apart."""

    def __init__(self, *names: str, replicas: int = 1) -> None:
        urls = tuple(f"http://127.0.0.1:1/{number}" for number in range(replicas))
        self.specs = [DeploymentSpec(name, OpenAICompatible(), "m", urls, max_in_flight=4) for name in names]
        self.fleet = Fleet(self.specs, {})
        self.calls = CallMetrics()
        self.figures = Figures(self.calls)
        self.made: dict[str, int] = {}
        self.coming: dict[str, int] = {}
        self.looks = 0

    def end(
        self, name: str = "a", ttft_s: float = 0.05, tokens: int = 11, took_s: float = 1.05, replica: str = ""
    ) -> None:
        """A call has ended: its first token after `ttft_s`, the others evenly until the end."""
        ended = record(deployment=name, replica=replica, ttft_s=ttft_s, usage=Usage(5, tokens, exact=True))
        ended.ended = ended.started + took_s
        self.calls.calls_ended([ended])

    def look(self) -> Look:
        self.looks += 1
        look = self.figures.look(AT + self.looks * STEP_S, 100.0 + self.looks * STEP_S)
        for each in self.fleet.deployments.values():
            look.add(each, self.made.get(each.name, 0))
            for replica in each.replicas if len(each.replicas) > 1 else ():
                look.add_replica(replica, self.coming.get(replica.label, 0))
        look.end()
        return look


def told(sample: Sample, at: int = 0) -> Mapping[str, float | None]:
    values = sample.values[at : at + len(COLUMNS)]
    return {name: None if math.isnan(each) else each for name, each in zip(COLUMNS, values, strict=True)}


def of_replica(sample: Sample, at: int) -> Mapping[str, float | None]:
    values = sample.values[at : at + len(OF_REPLICAS)]
    return {name: None if math.isnan(each) else each for name, each in zip(OF_REPLICAS, values, strict=True)}


def named(row: Row) -> Mapping[str, float]:
    return dict(zip(COLUMNS, row, strict=True))


async def test_the_first_look_tells_what_is_seen_and_of_no_time_before_it() -> None:
    scene = Scene("a", replicas=2)
    scene.end()
    scene.fleet.deployments["a"].replicas[1].in_flight = 3
    scene.look()
    (sample,) = scene.figures.samples
    assert told(sample) == dict.fromkeys(COLUMNS) | {"in_flight": 0, "waiting": 0, "ceiling": 8}
    assert sample.layout == (("a", ("a/0", "a/1")),)
    first, second = (of_replica(sample, len(COLUMNS) + at * len(OF_REPLICAS)) for at in (0, 1))
    assert first == dict.fromkeys(OF_REPLICAS) | {"in_flight": 0, "ceiling": 4}
    assert second == dict.fromkeys(OF_REPLICAS) | {"in_flight": 3, "ceiling": 4}


async def test_of_several_replicas_each_has_its_own_and_an_only_one_has_the_deployments() -> None:
    scene = Scene("a", replicas=2)
    scene.look()
    scene.end(replica="a/1", ttft_s=0.2, tokens=51)
    scene.made["a"], scene.coming["a/0"] = 100, 49
    scene.look()
    first, second = (of_replica(scene.figures.samples[-1], len(COLUMNS) + at * len(OF_REPLICAS)) for at in (0, 1))
    assert (first["tokens_per_s"], second["tokens_per_s"]) == (49 / STEP_S, round(51 / STEP_S, 1))
    assert first["ttft_p95_s"] is None
    assert 0.1 < (second["ttft_p95_s"] or 0) <= 0.25
    alone = Scene("a")
    alone.look()
    alone.end(replica="a/0")
    alone.made["a"] = 11
    alone.look()
    sample = alone.figures.samples[-1]
    assert of_replica(sample, len(COLUMNS))["tokens_per_s"] == told(sample)["tokens_per_s"] == round(11 / STEP_S, 1)
    assert of_replica(sample, len(COLUMNS))["gap_p95_s"] == told(sample)["gap_p95_s"] is not None
    assert alone.calls._replicas == {}, "nothing is counted twice"


async def test_of_very_many_replicas_the_first_are_told_of_and_counted() -> None:
    scene = Scene("a", "b", replicas=MOST_REPLICAS - 1)
    scene.look()
    assert [len(labels) for _, labels in scene.figures.samples[-1].layout] == [MOST_REPLICAS - 1, 1]
    assert len(scene.figures._replicas) == MOST_REPLICAS
    assert "b/0" in scene.calls._replicas
    scene.fleet.apply(scene.specs[:1], {})
    scene.look()
    assert scene.calls._replicas.keys() == {f"a/{number}" for number in range(MOST_REPLICAS - 1)}


async def test_tokens_and_times_are_of_the_step() -> None:
    scene = Scene("a", "b")
    scene.end(ttft_s=9.0)
    scene.look()
    for _ in range(20):
        scene.end(ttft_s=0.05, tokens=11, took_s=0.55)
    scene.made["a"] = 200
    scene.look()
    found = told(scene.figures.samples[-1])
    assert found["tokens_per_s"] == 200 / STEP_S
    assert found["ttft_p50_s"] is not None
    assert 0.025 < found["ttft_p50_s"] < (found["ttft_p95_s"] or 0) <= 0.05
    assert 0.025 < (found["gap_p50_s"] or 0) < (found["gap_p95_s"] or 0) <= 0.05
    assert told(scene.figures.samples[-1], len(COLUMNS) + len(OF_REPLICAS))["ttft_p50_s"] is None
    scene.look()
    quiet = told(scene.figures.samples[-1])
    assert (quiet["tokens_per_s"], quiet["ttft_p95_s"], quiet["gap_p50_s"]) == (0, None, None)


async def test_a_minute_is_the_mean_of_its_looks_and_has_the_times_of_all_of_it() -> None:
    scene = Scene("a")
    looks = []
    for number in range(2 * LOOKS):
        scene.fleet.deployments["a"].gate.in_flight = number % 2
        scene.made["a"] = 100 * number
        scene.end(ttft_s=0.05 if number % LOOKS else 0.2)
        looks.append(scene.look())
    assert [bool(each.minute) for each in looks] == ([False] * (LOOKS - 1) + [True]) * 2
    found = named(looks[-1].minute["a"])
    assert (found["in_flight"], found["waiting"], found["ceiling"]) == (0.5, 0, 4)
    assert found["tokens_per_s"] == 100 / STEP_S
    assert found["ttft_p50_s"] <= 0.05 < found["ttft_p95_s"] <= 0.25
    assert looks[-1].at == AT + 2 * LOOKS * STEP_S


async def test_tokens_that_seem_to_go_back_are_none() -> None:
    scene = Scene("a")
    scene.made["a"] = 100
    scene.look()
    scene.made["a"] = 90  # a stream that ended between two counts
    scene.look()
    assert told(scene.figures.samples[-1])["tokens_per_s"] == 0


async def test_no_more_is_remembered_than_a_quarter_of_an_hour_of_what_there_is() -> None:
    scene = Scene("a", "b")
    for _ in range(KEPT + 5):
        scene.look()
    assert len(scene.figures.samples) == KEPT
    assert len({id(each.layout) for each in scene.figures.samples}) == 1
    scene.fleet.apply(scene.specs[:1], {})
    scene.look()
    assert [name for name, _ in scene.figures.samples[-1].layout] == ["a"]
    assert scene.figures._tracks.keys() == {"a"}
