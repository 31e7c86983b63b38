"""Finds an engine that is there and makes nothing: its server says 200 while what computes behind it stands still.

Calls are in flight at a replica and none of them gets anything for longer than is usual there (`policy.progress`),
though its probe is answered: then it is asked for one token on a connection of its own. No answer in `canary_s`: the
replica is out, the calls there get an error, and it comes back when a canary is answered. None of this is done per
token: a timer looks at each replica.

No canary is sent where one would have to wait for a place, or to a model that sleeps or is not loaded. A ceiling that is
found out is not all that the engine has: there every place may be taken.
"""

from __future__ import annotations

import asyncio
from time import monotonic

from hayate.backends.base import Asked
from hayate.errors import GatewayError
from hayate.fleet.deployment import Deployment
from hayate.fleet.fleet import Fleet
from hayate.fleet.health_checks import OnChange, ask, tell_state
from hayate.fleet.replica import Replica
from hayate.fleet.turns import LOOKED_AT_ONCE, PAUSE_S, Tasks, by_turns
from hayate.upstream_errors import UpstreamTimeout
from hayate.wire.paths import CHAT
from hayate.wire.upstream_request import UpstreamRequest

TICK_S = 0.25


class Canaries:
    """One per gateway."""

    def __init__(self, fleet: Fleet, *, on_change: OnChange) -> None:
        self._fleet = fleet
        self._on_change = on_change
        self._sent = Tasks("a canary for {} failed")

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                canaried = [each for each in self._fleet.deployments.values() if each.spec.sends_canaries]
                pairs = [(each, replica) for each in canaried for replica in each.replicas]
                async for deployment, replica in by_turns(pairs, LOOKED_AT_ONCE):
                    if self._looked(deployment, replica, monotonic()):
                        await asyncio.sleep(PAUSE_S)  # a question takes longer than a look
                await asyncio.sleep(TICK_S)
        finally:
            await self._sent.end()

    def _looked(self, deployment: Deployment, replica: Replica, now: float) -> bool:
        """One look; whether a canary is on its way since."""
        if replica in self._sent or not (replica.health.stuck or _silent(replica, now)):
            return False
        self._sent.start(replica, self._send(deployment, replica))
        return True

    async def _send(self, deployment: Deployment, replica: Replica) -> None:
        health, probing = replica.health, self._fleet.probing
        last = replica.progress.last
        control = deployment.backend.control(deployment.served_model)
        if control is not None:
            heard = await ask(replica, control.ask(), probing.probe_timeout_s)
            if control.sleeps(heard.status, heard.body):
                replica.progress.began(monotonic())  # looked at again when as much time has passed
                return
        request = _one_token(deployment)
        if request is None:
            return
        heard = await ask(replica, request, probing.canary_s)
        now = monotonic()
        if heard.status:
            # 4xx: the engine took it up, and does not do this. 5xx tells nothing of other calls, but is no token either.
            if heard.status < 500:
                health.made_something(now)
            replica.progress.moved(now)
        elif (
            heard.late
            and not heard.unheard
            and replica.in_flight
            and replica.progress.last == last
            and not health.stuck
        ):
            self._stuck(replica)
        else:
            await asyncio.sleep(TICK_S)  # what can't be reached is the probe's business
        tell_state(replica, monotonic(), self._on_change)

    def _stuck(self, replica: Replica) -> None:
        limit_s = self._fleet.probing.canary_s
        error = UpstreamTimeout(
            f"The engine is there but makes nothing: not one token in {limit_s:g} s (health.canary_s). Ask again.",
            f"エンジンは応答していますが、{limit_s:g}秒間1トークンも生成していません（health.canary_s）。もう一度お試しください。",
        )
        replica.health.made_nothing()
        replica.note(error.texts, error.reason)
        replica.pool.fail_busy(error)


def _silent(replica: Replica, now: float) -> bool:
    """Whether calls wait there for longer than is usual, though its probe was answered meanwhile, and one more has a place."""
    health = replica.health
    return (
        replica.in_flight > 0
        and (replica.ceiling.adapts or replica.in_flight < replica.ceiling.places)
        and replica.progress.odd(now)
        and health.available(now)
        and not health.serial
        and (health.answered_at > replica.progress.last or not health.probing)
    )


def _one_token(deployment: Deployment) -> UpstreamRequest | None:
    """The shortest chat there is."""
    fields = {
        "messages": [{"role": "user", "content": "."}],
        "max_tokens": 1,
    }
    try:
        return deployment.backend.prepare(Asked(CHAT, None, fields), deployment.served_model).request
    except GatewayError:  # not known yet what the engine takes
        return None
