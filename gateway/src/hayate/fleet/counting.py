"""How many tokens a prompt has, asked of an engine before the prompt is sent there."""

from __future__ import annotations

import asyncio
from time import monotonic

from hayate.backends.base import Asked, Counting
from hayate.errors import GatewayError
from hayate.fleet.deployment import Deployment
from hayate.fleet.health_checks import ask
from hayate.fleet.replica import Replica
from hayate.policy.routing import least_in_flight
from hayate.wire.faults import UNREADABLE

COUNT_S = 2.0
"""How long it may take."""


async def count_prompt(deployment: Deployment, asked: Asked, *, within_s: float = COUNT_S) -> int | None:
    """As the engine would count it; None where it can't tell, or not in time. Raises nothing: an estimate does as well."""
    served = asked.model if asked.model in deployment.models else deployment.served_model
    try:
        async with asyncio.timeout(within_s):
            counting = deployment.backend.counting(asked, served)
            if isinstance(counting, Counting):
                if deployment.door is not None and not deployment.door.loaded:
                    return None  # it could not tell, or would load its model for it
                replica = least_in_flight(deployment.replicas, (), monotonic())
                return None if replica is None else await _ask(replica, counting, within_s)
            # A long prompt takes milliseconds here, in which every stream would stand still.
            return None if counting is None else await asyncio.to_thread(counting)
    except (TimeoutError, GatewayError, *UNREADABLE):  # an engine may answer anything
        return None


async def _ask(replica: Replica, counting: Counting, within_s: float) -> int | None:
    answer: Counting | int | None = counting
    while isinstance(answer, Counting):
        heard = await ask(replica, answer.request, within_s)
        if heard.status == 0:  # whoever did not answer need not be asked otherwise
            return None
        answer = answer.read(heard.body if heard.status == 200 else None)
    return answer
