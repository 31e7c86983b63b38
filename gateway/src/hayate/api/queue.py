"""GET /admin/queue: who waits where, and why: what each engine is given at once, whose calls are there, and whose wait.

Nothing is counted for it: what the gates and the ceilings know is read when somebody asks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from hayate.api.bodies import json_answer
from hayate.api.gateway import Gateway
from hayate.api.operations import described
from hayate.fleet.deployment import Deployment
from hayate.fleet.replica import Replica
from hayate.policy.queue_view import LaneView, view
from hayate.relay.pump import Pump
from hayate.relay.ticker import Ticker

MAX_LANES: Final = 1000
"""Of one deployment, those with the most that waits."""


class CeilingAnswer(BaseModel):
    """How many calls one engine is given at once, beside `spare` for keys below half their share. `why` is a word
    (`policy.ceiling`), `since_s` how long it has been so; null: from the start.
    """

    replica: str
    places: int
    spare: int
    why: str
    since_s: float | None
    in_flight: int


class LaneAnswer(BaseModel):
    """The calls of one key, or (`low`) those of them that it has lowered itself; those in flight on the GPU, those that wait
    here. `counter` is the work that was done for it beyond the lane that has had least, in tokens by weight: the lowest
    that waits is next. Waits are those of its latest calls; null where none has had to wait.
    """

    key: str
    project: str
    low: bool
    weight: float
    counter: float
    in_flight: int
    waiting: int
    oldest_s: float
    """How long the one has waited that waits longest; 0 where none does."""
    wait_p50_s: float | None
    wait_p95_s: float | None


class DeploymentQueueAnswer(BaseModel):
    """One deployment's gate. Its lanes are shared with all deployments on the same GPU (`gpus`)."""

    name: str
    engine: str
    model: str | None
    gpus: list[str]
    capacity: int
    """The places of those engines together that are in use."""
    spare: int
    max_queued: int
    in_flight: int
    queued: int
    service_s: float | None
    """How long a call holds its place, on average; null until one has ended."""
    output_tokens: int
    """Which its engines have made (`tokens_made`)."""
    ceilings: list[CeilingAnswer]
    lanes: list[LaneAnswer]
    """Those with calls, the most that waits first, then those whose calls have waited lately; `lane_count` is how many
    there are, and more than MAX_LANES are not listed.
    """
    lane_count: int


class QueueAnswer(BaseModel):
    """What every deployment does and lets wait. Later versions only add fields."""

    deployments: list[DeploymentQueueAnswer]


@described("What each engine is given at once and why, and who waits for how long.", QueueAnswer)
async def show_queue(_: Request, gateway: Gateway) -> Response:
    """GET /admin/queue: every deployment, in the order of the configuration."""
    now, fleet, made = gateway.relay.now(), gateway.relay.fleet, tokens_made(gateway)
    return json_answer(
        QueueAnswer(
            deployments=[
                deployment_queue(each, now, made[each.name], gateway.auth.project_of)
                for each in fleet.deployments.values()
            ]
        )
    )


def tokens_made(gateway: Gateway) -> dict[str, int]:
    """What the engines of each deployment have made since the start: streams that have not ended count as far as they have come."""
    gateway.calls.flush()
    ended, coming = gateway.metrics.calls.output_tokens, _coming(gateway.ticker)
    return {
        each.name: ended(each.name) + sum(coming[id(replica.progress)] for replica in each.replicas)
        for each in gateway.relay.fleet.deployments.values()
    }


def _coming(ticker: Ticker) -> Counter[int]:
    """The tokens of streams that have not ended yet, by which replica's progress they are part of."""
    found: Counter[int] = Counter()
    for each in ticker:
        if isinstance(each, Pump):
            found[id(each.progress)] += each.made
    return found


def deployment_queue(
    each: Deployment, now: float, output_tokens: int, project_of: Callable[[str], str]
) -> DeploymentQueueAnswer:
    """What one deployment's gate and ceilings know at a time, with what they don't: tokens, and whose a key is."""
    gate = view(each.gate, now)
    return DeploymentQueueAnswer(
        name=each.name,
        engine=each.backend.name,
        model=each.served_model,
        gpus=list(each.gpus),
        capacity=gate.capacity,
        spare=gate.spare,
        max_queued=gate.max_queued,
        in_flight=gate.in_flight,
        queued=gate.queued,
        service_s=_rounded(gate.service_s),
        output_tokens=output_tokens,
        ceilings=[_ceiling(replica, now) for replica in each.replicas],
        lanes=[_lane(lane, project_of(lane.key)) for lane in gate.lanes[:MAX_LANES]],
        lane_count=len(gate.lanes),
    )


def _ceiling(replica: Replica, now: float) -> CeilingAnswer:
    ceiling = replica.ceiling
    return CeilingAnswer(
        replica=replica.label,
        places=ceiling.places,
        spare=ceiling.spare,
        why=ceiling.why,
        since_s=round(max(0.0, now - ceiling.since), 1) if ceiling.since else None,
        in_flight=replica.in_flight,
    )


def _lane(lane: LaneView, project: str) -> LaneAnswer:
    return LaneAnswer(
        key=lane.key,
        project=project,
        low=lane.low,
        weight=lane.weight,
        counter=round(lane.counter, 1),
        in_flight=lane.in_flight,
        waiting=lane.waiting,
        oldest_s=round(lane.oldest_s, 3),
        wait_p50_s=_rounded(lane.wait_p50_s),
        wait_p95_s=_rounded(lane.wait_p95_s),
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
