"""Looks at each engine's own signals once a second while it matters, and keeps the gates as wide as the ceilings found by them.

It matters where most places are taken or calls wait (`policy.ceiling.Ceiling.matters`): an idle gateway asks nobody. One
question at a time for each replica, so that an engine that is slow to answer is asked less often, and is not known to be
silent before its time is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from statistics import median
from time import monotonic
from typing import Final

from hayate.fleet.deployment import Deployment
from hayate.fleet.fleet import Fleet
from hayate.fleet.health_checks import ask
from hayate.fleet.replica import Replica
from hayate.fleet.turns import LOOKED_AT_ONCE, Tasks, by_turns

LOOK_S: Final = 1.0
MAX_ANSWER_BYTES: Final = 1 << 20
"""A vLLM says some 100 KB."""
OK: Final = 200

OnUnseen = Callable[[Replica], None]
"""Called for a replica whose engine turns out to tell nothing."""


class Ceilings:
    """One per gateway."""

    def __init__(self, fleet: Fleet, *, on_unseen: OnUnseen, look_s: float = LOOK_S) -> None:
        self._fleet = fleet
        self._on_unseen = on_unseen
        self._look_s = look_s
        self._looking = Tasks("a look at how busy {} is failed")

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await asyncio.sleep(self._look_s)
                wanted = []
                async for deployment in by_turns([*self._fleet.deployments.values()], LOOKED_AT_ONCE):
                    wanted += self._wanted(deployment)
                async for deployment, replica in by_turns(wanted):
                    self._looking.start(replica, self._look(deployment, replica))
        finally:
            await self._looking.end()

    def _wanted(self, deployment: Deployment) -> list[tuple[Deployment, Replica]]:
        """Its replicas that are to be looked at now."""
        if deployment.door is not None and not deployment.door.loaded:
            return []
        if len(deployment.replicas) > 1:
            deployment.widen()  # one may have gone, or come back
        return [
            (deployment, replica)
            for replica in deployment.replicas
            if replica not in self._looking and self._matters(deployment, replica)
        ]

    @staticmethod
    def _matters(deployment: Deployment, replica: Replica) -> bool:
        return replica.ceiling.matters(replica.in_flight, deployment.gate.queued) and replica.available(monotonic())

    async def _look(self, deployment: Deployment, replica: Replica) -> None:
        load, request = None, deployment.backend.load()
        if request is not None:
            heard = await ask(replica, request, self._fleet.probing.probe_timeout_s, MAX_ANSWER_BYTES)
            load = deployment.backend.read_load(heard.body) if heard.status == OK else None
        ceiling, gaps = replica.ceiling, replica.progress.gaps
        unseen = ceiling.why == "no_signals"
        gap_s = median(gaps) if gaps else None
        ceiling.look(monotonic(), load, replica.in_flight, deployment.gate.queued, gap_s)
        if gaps is not None:
            gaps.clear()
        if ceiling.why == "no_signals" and not unseen:
            self._on_unseen(replica)
        deployment.widen()
