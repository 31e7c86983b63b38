"""Looks at all deployments every few seconds (`telemetry.figures`), and has a row a minute kept. Few in each turn of the event
loop: streams go on between.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from time import monotonic
from typing import Final

from hayate.fleet.deployment import Deployment
from hayate.fleet.fleet import Fleet
from hayate.fleet.turns import PAUSE_S, by_turns
from hayate.relay.pump import Pump
from hayate.relay.ticker import Ticker
from hayate.store.figures import keep
from hayate.store.store import Store
from hayate.telemetry.calls import EndedCalls
from hayate.telemetry.figures import STEP_S, Look, Row
from hayate.telemetry.metrics import Metrics

STREAMS_AT_ONCE: Final = 128
AT_ONCE: Final = 4
"""Deployments, or replicas, in a turn: each about a tenth of a millisecond."""

Keep = Callable[[float, Mapping[str, Row]], None]
"""Has the rows of a minute kept that ended at a time, in seconds since 1970. Must not wait."""


def in_store(store: Store, port: int) -> Keep:
    """In the store, as those of the gateway at this port."""
    return lambda at, rows: store.change_later(keep(port, at, rows))


class Watching:
    """One per gateway."""

    def __init__(
        self, fleet: Fleet, metrics: Metrics, calls: EndedCalls, ticker: Ticker, keep: Keep, step_s: float = STEP_S
    ) -> None:
        self._fleet = fleet
        self._metrics = metrics
        self._calls = calls
        self._ticker = ticker
        self._keep = keep
        self._step_s = step_s

    async def run(self) -> None:
        """Until cancelled. A look that comes late moves the others: none is made up for."""
        while True:
            began = monotonic()
            await self.look()
            await asyncio.sleep(max(0.0, self._step_s - (monotonic() - began)))

    async def look(self) -> None:
        """Looks at every deployment once. Takes a tenth of a second where there are very many streams."""
        deployments = tuple(self._fleet.deployments.values())
        look = self._metrics.figures.look(time.time(), monotonic())
        self._calls.flush()
        made = {each.name: self._metrics.calls.output_tokens(each.name) for each in deployments}
        await asyncio.sleep(0)
        # What ends from here on is still seen as a stream, and was not counted above.
        coming: Counter[int] = Counter()
        streams = iter(self._ticker)  # as they are now
        while True:
            await asyncio.sleep(PAUSE_S)
            some = tuple(islice(streams, STREAMS_AT_ONCE))
            if not some:
                break
            for each in some:
                if isinstance(each, Pump):
                    coming[id(each.progress)] += each.made
        async for add in by_turns(_steps(look, deployments, made, coming), AT_ONCE):
            add()
        look.end()
        if look.ends_minute:
            self._keep(look.at, look.minute)


def _steps(
    look: Look, deployments: Iterable[Deployment], made: Mapping[str, int], coming: Mapping[int, int]
) -> Iterator[Callable[[], None]]:
    """Looks at a deployment, and then at each of its replicas where it has several."""
    for deployment in deployments:
        replicas, name = tuple(deployment.replicas), deployment.name
        yield partial(look.add, deployment, made[name] + sum(coming[id(each.progress)] for each in replicas))
        if len(replicas) > 1:
            yield from (partial(look.add_replica, each, coming[id(each.progress)]) for each in replicas)
