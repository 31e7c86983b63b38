"""Deployments to try things on: their engines are addresses that nothing listens at, unless a test names one that does."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from hayate.backends.openai_compat import OpenAICompatible
from hayate.fleet.deployment import Deployment
from hayate.fleet.spec import DeploymentSpec
from hayate.fleet.waiting import Waiter
from hayate.policy.places import Place
from hayate.policy.waits import PLAIN, Waits
from hayate.settings import Probing

QUICK = Probing(probe_interval_s=0.05, probe_timeout_s=1.0, eject_after=3, eject_s=10.0)


def spec(name: str = "qwen", *urls: str, **more: Any) -> DeploymentSpec:
    """A deployment of that name; `more` are further fields of `DeploymentSpec`."""
    values: dict[str, Any] = {"backend": OpenAICompatible(), "model": None, "replicas": urls or ("http://a:1",), **more}
    return DeploymentSpec(name, **values)


async def entered(deployment: Deployment, key: str = "key", waits: Waits = PLAIN) -> Place[Waiter]:
    """A call's place, once it has one. Raises what `Waiting.enter` does."""
    now = monotonic()
    place: Place[Waiter] = Place(deployment.gate.lanes.of(key, waits.weight, now, low=waits.low), 10, 20, now)
    if not deployment.gate.try_enter(place):
        await deployment.waiting.enter(place, waits, deployment.spec.queue_s)
    return place


async def waiting(
    *deployments: Deployment, key: str = "key", waits: Waits = PLAIN
) -> list[asyncio.Task[Place[Waiter]]]:
    """One call more for each, waiting for a place."""
    tasks = [asyncio.create_task(entered(each, key, waits)) for each in deployments]
    await asyncio.sleep(0)
    return tasks
