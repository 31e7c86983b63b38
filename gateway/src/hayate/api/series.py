"""GET /admin/series: how each deployment has done, as columns: the last minutes in steps of 5 s from memory, or the last hours in
minutes from the store. Made in a thread: of very many deployments it is much.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, groupby
from operator import attrgetter
from time import time
from typing import Any, Final

import orjson
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from hayate.api.bodies import whole_of
from hayate.api.gateway import Gateway
from hayate.api.operations import JSON, described
from hayate.errors import InvalidRequest, StoreGone
from hayate.store.figures import Minute, minutes
from hayate.telemetry.figures import COLUMNS, OF_REPLICAS, STEP_S, Layout, Sample

MINUTES: Final = 15
HOURS: Final = 24
MINUTE_S: Final = 60.0

Column = list[float | None]


class ReplicaSeries(BaseModel):
    """Of one engine, the first 256 of them; none of hours."""

    replica: str
    in_flight: Column
    ceiling: Column
    tokens_per_s: Column
    ttft_p50_s: Column
    ttft_p95_s: Column
    gap_p50_s: Column
    gap_p95_s: Column


class DeploymentSeries(BaseModel):
    """A column a figure, with a value for each of `at`; null where there is none: nothing had ended, or it was not there yet.

    Of hours, the first four are means of the minute. Percentiles are of calls that ended in the step, `gap` the time per token.
    """

    name: str
    in_flight: Column
    waiting: Column
    ceiling: Column
    tokens_per_s: Column
    ttft_p50_s: Column
    ttft_p95_s: Column
    gap_p50_s: Column
    gap_p95_s: Column
    replicas: list[ReplicaSeries]


class SeriesAnswer(BaseModel):
    """The deployments that there are, in the order of the configuration. `at`: when each step ended, in seconds since 1970; a
    gateway that did not run has left a gap there.
    """

    step_s: float
    at: list[float]
    deployments: list[DeploymentSeries]


@described(
    "How each deployment has done: the last minutes in steps of 5 s, or the last hours in minutes.",
    SeriesAnswer,
    errors=(StoreGone,),
    query={
        "minutes": {"type": "integer", "minimum": 1, "maximum": MINUTES, "default": MINUTES},
        "hours": {"type": "integer", "minimum": 1, "maximum": HOURS, "description": "In place of minutes."},
    },
)
async def show_series(request: Request, gateway: Gateway) -> Response:
    """GET /admin/series?minutes=15, or ?hours=24. Raises InvalidRequest, StoreGone."""
    names, now = tuple(gateway.relay.fleet.deployments), time()
    if "hours" not in request.query_params:
        since = now - MINUTE_S * whole_of(request, "minutes", MINUTES, MINUTES)
        samples = [each for each in gateway.metrics.figures.samples if each.at > since]
        return Response(await asyncio.to_thread(of_samples, names, samples), media_type=JSON)
    if "minutes" in request.query_params:
        raise InvalidRequest(
            "'minutes' and 'hours' exclude each other: name one of them.",
            "'minutes' と 'hours' は同時に指定できません。どちらか一方を指定してください。",
            param="hours",
        )
    since = now - 60 * MINUTE_S * whole_of(request, "hours", HOURS, HOURS)
    port = gateway.auth.operator.port
    return Response(await gateway.store.read(lambda c: of_minutes(names, minutes(c, port, since))), media_type=JSON)


def of_samples(names: Iterable[str], samples: Sequence[Sample]) -> bytes:
    """The answer for what is in memory."""
    runs = [_Run(layout, list(found)) for layout, found in groupby(samples, key=attrgetter("layout"))]
    found = []
    for name in names:
        replicas = [
            {"replica": label, **_columns(OF_REPLICAS, runs, _key(name, label))}
            for label in (dict(samples[-1].layout).get(name, ()) if samples else ())
        ]
        found.append({"name": name, **_columns(COLUMNS, runs, name), "replicas": replicas})
    return _answer(STEP_S, [each.at for each in samples], found)


def of_minutes(names: Iterable[str], kept: Sequence[Minute]) -> bytes:
    """The answer for what was kept."""
    nothing = (None,) * len(COLUMNS)
    found = []
    for name in names:
        columns = zip(*(each.rows.get(name, nothing) for each in kept), strict=True) if kept else [()] * len(COLUMNS)
        found.append({"name": name, **dict(zip(COLUMNS, columns, strict=True)), "replicas": []})
    return _answer(MINUTE_S, [each.at for each in kept], found)


class _Run:
    """Samples in a row that have the same layout: a column of them is a slice."""

    def __init__(self, layout: Layout, samples: Sequence[Sample]) -> None:
        self._count = len(samples)
        self._values = array("d")
        for each in samples:
            self._values.extend(each.values)
        self._places: dict[str, int] = {}
        """Where in a sample's values those of a deployment, or of a replica, begin."""
        self._width = 0
        for name, replicas in layout:
            self._places[name] = self._width
            self._width += len(COLUMNS)
            for label in replicas:
                self._places[_key(name, label)] = self._width
                self._width += len(OF_REPLICAS)

    def column(self, key: str, number: int) -> Sequence[float | None]:
        """One figure of a deployment, or of a replica; None where it was not there."""
        at = self._places.get(key)
        return [None] * self._count if at is None else self._values[at + number :: self._width].tolist()


def _key(name: str, label: str) -> str:
    return f"{name}\0{label}"


def _columns(names: Sequence[str], runs: Sequence[_Run], key: str) -> dict[str, list[float | None]]:
    return {
        name: list(chain.from_iterable(run.column(key, number) for run in runs)) for number, name in enumerate(names)
    }


def _answer(step_s: float, at: Sequence[float], deployments: Sequence[Mapping[str, Any]]) -> bytes:
    """What is no number (`telemetry.figures.NOTHING`) is written as null."""
    return orjson.dumps({"step_s": step_s, "at": [round(each, 1) for each in at], "deployments": deployments})
