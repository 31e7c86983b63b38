"""One look at a gateway: what `/admin/queue` and `/admin/calls` told, read from whatever version, and what lies between two
looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hayate.tools.lenient import count_in, number_in, objects_in, text_in, texts_in
from hayate.tools.rates import rates


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What one engine is given at once, and why, in a word (`policy.ceiling`)."""

    replica: str
    places: int | None
    spare: int | None
    why: str
    since_s: float | None
    in_flight: int | None


@dataclass(frozen=True, slots=True)
class Lane:
    """One key's calls."""

    key: str
    project: str
    low: bool
    weight: float | None
    counter: float | None
    in_flight: int | None
    waiting: int | None
    oldest_s: float | None
    wait_p50_s: float | None
    wait_p95_s: float | None


@dataclass(frozen=True, slots=True)
class Deployment:
    """What its gate does; `output_tokens` are those of all its calls so far."""

    name: str
    engine: str
    model: str | None
    gpus: Sequence[str]
    capacity: int | None
    spare: int | None
    max_queued: int | None
    in_flight: int | None
    queued: int | None
    service_s: float | None
    output_tokens: int | None
    ceilings: Sequence[Ceiling]
    lanes: Sequence[Lane]
    lane_count: int


@dataclass(frozen=True, slots=True)
class Call:
    """One call under way; without a `replica` it waits."""

    id: str
    key: str
    project: str
    model: str
    replica: str
    stream: bool
    running_s: float


@dataclass(frozen=True, slots=True)
class Look:
    """What was told at a time, in seconds of any one clock. None of calls where they could not be told."""

    at: float
    deployments: Sequence[Deployment]
    calls: Sequence[Call] | None
    call_count: int | None


def read_look(at: float, queue: Mapping[str, Any], calls: Mapping[str, Any] | None) -> Look:
    """Of the two answers; those calls first that have run for longest."""
    found = None if calls is None else [_call(each) for each in objects_in(calls.get("in_flight"))]
    return Look(
        at=at,
        deployments=[_deployment(each) for each in objects_in(queue.get("deployments"))],
        calls=None if found is None else sorted(found, key=lambda call: -call.running_s),
        call_count=None if calls is None else count_in(calls.get("in_flight_count")),
    )


def tokens_per_s(before: Look, now: Look) -> dict[str, float]:
    """What each deployment's engines made a second between two looks."""
    had, have = ({each.name: each.output_tokens for each in look.deployments} for look in (before, now))
    return rates(had, have, now.at - before.at)


def _deployment(values: Mapping[str, Any]) -> Deployment:
    lanes = [_lane(each) for each in objects_in(values.get("lanes"))]
    return Deployment(
        name=text_in(values.get("name")) or "?",
        engine=text_in(values.get("engine")) or "?",
        model=text_in(values.get("model")),
        gpus=texts_in(values.get("gpus")),
        capacity=count_in(values.get("capacity")),
        spare=count_in(values.get("spare")),
        max_queued=count_in(values.get("max_queued")),
        in_flight=count_in(values.get("in_flight")),
        queued=count_in(values.get("queued")),
        service_s=number_in(values.get("service_s")),
        output_tokens=count_in(values.get("output_tokens")),
        ceilings=[_ceiling(each) for each in objects_in(values.get("ceilings"))],
        lanes=lanes,
        lane_count=max(len(lanes), count_in(values.get("lane_count")) or 0),
    )


def _ceiling(values: Mapping[str, Any]) -> Ceiling:
    return Ceiling(
        replica=text_in(values.get("replica")) or "?",
        places=count_in(values.get("places")),
        spare=count_in(values.get("spare")),
        why=text_in(values.get("why")) or "?",
        since_s=number_in(values.get("since_s")),
        in_flight=count_in(values.get("in_flight")),
    )


def _lane(values: Mapping[str, Any]) -> Lane:
    return Lane(
        key=text_in(values.get("key")) or "?",
        project=text_in(values.get("project")) or "",
        low=values.get("low") is True,
        weight=number_in(values.get("weight")),
        counter=number_in(values.get("counter")),
        in_flight=count_in(values.get("in_flight")),
        waiting=count_in(values.get("waiting")),
        oldest_s=number_in(values.get("oldest_s")),
        wait_p50_s=number_in(values.get("wait_p50_s")),
        wait_p95_s=number_in(values.get("wait_p95_s")),
    )


def _call(values: Mapping[str, Any]) -> Call:
    return Call(
        id=text_in(values.get("id")) or "?",
        key=text_in(values.get("key")) or "?",
        project=text_in(values.get("project")) or "",
        model=text_in(values.get("model")) or "",
        replica=text_in(values.get("replica")) or "",
        stream=values.get("stream") is True,
        running_s=(number_in(values.get("running_ms")) or 0.0) / 1000,
    )
