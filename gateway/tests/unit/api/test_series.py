"""GET /admin/series: columns that belong together, whatever deployments come and go, to the operator alone."""

from __future__ import annotations

import json
import math
import sqlite3
import time
from array import array
from contextlib import closing

import pytest

from hayate.api.series import SeriesAnswer, of_minutes, of_samples
from hayate.store.figures import Minute
from hayate.telemetry.figures import COLUMNS, OF_REPLICAS, STEP_S, Layout, Sample
from tests.support.http import fetch
from tests.support.scene import STREAM, Stage
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio


def sample(at: float, layout: Layout, first: float = 1.0) -> Sample:
    """Values that count up from `first`."""
    width = sum(len(COLUMNS) + len(OF_REPLICAS) * len(replicas) for _, replicas in layout)
    return Sample(at, layout, array("d", [first + number for number in range(width)]))


def test_columns_have_a_value_for_each_time_and_none_where_a_deployment_was_not_there() -> None:
    before: Layout = (("a", ("a/0",)),)
    after: Layout = (("b", ("b/0", "b/1")), ("a", ("a/0",)))
    found = SeriesAnswer.model_validate_json(of_samples(("b", "a"), [sample(10.04, before), sample(15.0, after, 101)]))
    assert (found.step_s, found.at) == (STEP_S, [10.0, 15.0])
    b, a = found.deployments
    assert (b.name, b.in_flight, b.gap_p95_s) == ("b", [None, 101], [None, 108])
    assert [(each.replica, each.in_flight, each.ceiling) for each in b.replicas] == [
        ("b/0", [None, 109], [None, 110]),
        ("b/1", [None, 116], [None, 117]),
    ]
    assert (a.in_flight, a.waiting, a.replicas[0].ceiling) == ([1, 123], [2, 124], [10, 132])
    assert (b.replicas[0].tokens_per_s, b.replicas[1].gap_p95_s) == ([None, 111], [None, 122])


def test_what_there_is_nothing_to_say_of_is_null() -> None:
    nothing = Sample(10.0, (("a", ()),), array("d", [2.0, 0.5, 4.0, 0.0, *([math.nan] * 4)]))
    said = json.loads(of_samples(("a", "new"), [nothing]))
    assert said["deployments"][0]["in_flight"] == [2]
    assert said["deployments"][0]["waiting"] == [0.5]
    assert said["deployments"][0]["ttft_p50_s"] == [None]
    assert said["deployments"][1]["ceiling"] == [None]
    assert json.loads(of_samples(("a",), []))["deployments"][0]["in_flight"] == []


def test_minutes_are_read_as_they_were_kept() -> None:
    row = [1.0, 2.0, 3.0, 4.0, None, None, 0.1, 0.2]
    found = SeriesAnswer.model_validate_json(of_minutes(("a", "b"), [Minute(60.0, {"a": row}), Minute(120.0, {})]))
    a, b = found.deployments
    assert (found.step_s, found.at, a.tokens_per_s, a.gap_p50_s) == (60, [60, 120], [4, None], [0.1, None])
    assert (a.ttft_p50_s, b.waiting, a.replicas) == ([None, None], [None, None], [])


async def series(stage: Stage, query: str = "") -> SeriesAnswer:
    reply = await fetch(stage.url, f"/admin/series{query}", key=stage.operators_key)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    return SeriesAnswer.model_validate_json(reply.body)


async def test_a_gateway_tells_how_its_deployments_do(stage: Stage) -> None:
    await stage.frames(STREAM)
    before = await series(stage)

    async def another() -> bool:
        return len((await series(stage)).at) > len(before.at)

    await eventually(another, every_s=0.5)
    found = await series(stage, "?minutes=1")
    only = next(each for each in found.deployments if any(number is not None for number in each.ttft_p50_s))
    assert abs(found.at[-1] - time.time()) < 60
    assert (only.waiting[-1], only.in_flight[-1], len(only.replicas)) == (0, 0, 1)
    assert {len(getattr(only, name)) for name in COLUMNS} == {len(found.at)}


async def test_hours_come_from_the_store_and_are_this_gateways_own(stage: Stage) -> None:
    name = (await series(stage)).deployments[0].name
    now = int(time.time() * 1000)
    rows = [(stage.gateway.port, now - 3_000_000), (stage.gateway.port, now - 30_000_000), (1, now - 2_000_000)]
    with closing(sqlite3.connect(stage.gateway.data / "hayate.db")) as connection, connection:
        body = json.dumps({name: [7, 0, 16, 30.5, 0.1, 0.2, None, None]})
        connection.executemany("INSERT INTO figures VALUES (?, ?, ?)", [(*row, body) for row in rows])
    for query, in_flight in (("?hours=24", [7, 7]), ("?hours=1", [7])):
        found = await series(stage, query)
        assert (found.step_s, found.deployments[0].in_flight[: len(in_flight)]) == (60, in_flight)


@pytest.mark.parametrize("query", ["minutes=0", "minutes=16", "minutes=x", "hours=25", "hours=", "minutes=1&hours=1"])
async def test_other_lengths_are_refused(stage: Stage, query: str) -> None:
    reply = await fetch(stage.url, f"/admin/series?{query}", key=stage.operators_key)
    assert (reply.status, reply.json["error"]["param"]) == (400, query.rpartition("&")[2].partition("=")[0])
