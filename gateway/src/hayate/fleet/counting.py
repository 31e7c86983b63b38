"""How many tokens a prompt has, asked of an engine before the prompt is sent there."""

from __future__ import annotations

import asyncio
from time import monotonic

from hayate.backends.base import Asked, Counting
from hayate.errors import GatewayError
from hayate.fleet.deployment import Deployment
from hayate.fleet.replica import Replica
from hayate.policy.routing import least_in_flight
from hayate.upstream_errors import StaleConnection
from hayate.wire.faults import UNREADABLE
from hayate.wire.upstream_request import UpstreamRequest

COUNT_S = 2.0
"""How long the answer may take."""


async def count_prompt(deployment: Deployment, asked: Asked) -> int | None:
    """As the engine would count it; None where it can't tell, or not in time. Raises nothing: an estimate does as well."""
    served = asked.model if asked.model in deployment.models else deployment.served_model
    try:
        async with asyncio.timeout(COUNT_S):
            counting = deployment.backend.counting(asked, served)
            if isinstance(counting, Counting):
                replica = least_in_flight(deployment.replicas, (), monotonic())
                return None if replica is None else await _ask(replica, counting)
            # A long prompt takes milliseconds here, in which every stream would stand still.
            return None if counting is None else await asyncio.to_thread(counting)
    except (TimeoutError, GatewayError, *UNREADABLE):  # an engine may answer anything
        return None


async def _ask(replica: Replica, counting: Counting) -> int | None:
    answer: Counting | int | None = counting
    while isinstance(answer, Counting):
        status, body = await _send(replica, answer.request)
        answer = answer.read(body if status == 200 else None)
    return answer


async def _send(replica: Replica, request: UpstreamRequest) -> tuple[int, bytes]:
    try:
        exchange = await replica.pool.send(request, first_byte_s=COUNT_S)
    except StaleConnection:
        exchange = await replica.pool.send(request, first_byte_s=COUNT_S, fresh=True)
    try:
        return exchange.status, await exchange.read()
    finally:
        exchange.close()
