"""A deployment's engines that run whether or not the gateway does, and are told over HTTP what to have in memory.

All replicas are told alike. Rule: what an engine answers to being told is no proof; it is asked until it says that its model is
in memory, or is not. One that was restarted, or that others load and unload, is found out by `state`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final

from hayate.backends.control import Control
from hayate.engines.base import How, LoadFailed
from hayate.errors import GatewayError
from hayate.fleet.deployment import Deployment
from hayate.fleet.health_checks import Heard, ask
from hayate.fleet.replica import Replica
from hayate.language import Text
from hayate.reasons import Reason
from hayate.wire.engine_errors import reason_of, words_of
from hayate.wire.upstream_request import UpstreamRequest

ASK_S: Final = 5.0
"""How long the answer to a question may take: some engines answer none while they load."""
POLL_S: Final = 0.1
MOST_POLL_S: Final = 1.0
"""Between two questions while a model comes or goes: at first, and in the end."""
GONE_S: Final = 10.0
"""How long an engine may not be there while its model is to be loaded: so long a restart takes."""
START_S: Final = 180.0
"""The same of one that can't start without the memory for its model (vLLM), and was there before: it may be starting, now that
it has the memory.
"""
UNLOAD_S: Final = 120.0
"""How long a model may take to go: vLLM copies weights to the host's memory, for the first time into memory it has yet to get."""
MOST_BYTES: Final = 1 << 20
_ABSENT: Final = frozenset({Reason.NOTHING_LISTENS, Reason.NAME_UNKNOWN})
"""Nothing runs there, so nothing is in memory."""
_NO_SUCH_PATH: Final = frozenset({404, 405, 501})
_PERHAPS_SO_ALREADY: Final = 400
"""llama.cpp's answer to being told what it does already, or has done."""

Work = Callable[[Replica, float], Awaitable[None]]
"""What is done with a replica, until a time at most."""


def remote_engine(deployment: Deployment) -> RemoteEngine | None:
    """The engine of a deployment whose adapter has a control; None for any other."""
    control = deployment.backend.control(deployment.served_model)
    return None if control is None else RemoteEngine(deployment, control)


class RemoteEngine:
    """All replicas of one deployment, as an `engines.base.Engine`."""

    pid: int | None = None
    log: Path | None = None
    ended: Callable[[LoadFailed], None] | None = None
    """Never called: whether it is still there is asked for."""

    def __init__(self, deployment: Deployment, control: Control) -> None:
        self._deployment = deployment
        self._replicas: Sequence[Replica] = deployment.replicas
        self.how: How = control.how
        self._control = control
        """Of the model that was last loaded: whatever a reload makes of the deployment, that one has to go."""
        self._held = False
        """Whether they were told to have the model in memory, or found to."""

    async def state(self) -> bool | None:
        """Whether the model is in memory at all replicas. Where it is at some that nobody told to, they let go of it first."""
        if not self._held:
            self._take_control()
        states = await asyncio.gather(*(self._state(each) for each in self._replicas))
        if None in states:
            return None
        if any(states) and not all(states) and not self._held:
            try:
                await self.unload()
            except LoadFailed:
                return None
        self._held = all(states)
        return self._held

    async def load(self, limit_s: float) -> None:
        """Returns once all replicas have it in memory. Raises LoadFailed; then they have been told to let go of it again."""
        self._held = True
        self._take_control()
        try:
            await self._all(self._load, monotonic() + limit_s)
        except LoadFailed:
            self._held = False
            tasks = (self._unload(each, monotonic() + UNLOAD_S) for each in self._replicas)
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def unload(self) -> None:
        """Returns once none has it in memory. Raises LoadFailed."""
        self._held = False
        await self._all(self._unload, monotonic() + UNLOAD_S)

    async def close(self) -> None:
        """They go on as they are."""

    def _take_control(self) -> None:
        self._control = self._deployment.backend.control(self._deployment.served_model) or self._control

    async def _all(self, work: Work, ends_at: float) -> None:
        """The first failure ends the others."""
        tasks = [asyncio.ensure_future(work(each, ends_at)) for each in self._replicas]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # One of them.

    async def _state(self, replica: Replica) -> bool | None:
        state, heard = await self._ask(replica, monotonic() + ASK_S)
        return False if heard.reason in _ABSENT else state

    async def _load(self, replica: Replica, ends_at: float) -> None:
        if await self._meet(replica, ends_at):
            return
        look = self._control.look()
        seen = Heard() if look is None else await ask(replica, look, ASK_S, MOST_BYTES)
        refusal = await self._tell(replica, partial(self._control.load, seen.body), ends_at)
        wait_s, gone_at = POLL_S, monotonic() + GONE_S
        while True:
            state, heard = await self._ask(replica, ends_at)
            now = monotonic()
            if state:
                return
            if state is False:
                raise refusal or await self._gone(replica)
            if heard.status or heard.late:
                gone_at = now + GONE_S
            elif now >= gone_at:  # it ended of it
                raise _failed(replica, heard)
            if now >= ends_at:
                raise refusal or _late(replica, heard)
            wait_s = await _wait(wait_s, ends_at)

    async def _unload(self, replica: Replica, ends_at: float) -> None:
        state, heard = await self._ask(replica, ends_at)
        if state is False or heard.reason in _ABSENT:
            return
        try:
            refusal = await self._tell(replica, self._control.unload, ends_at)
        except _TakesTooLong:
            ends_at = monotonic() + UNLOAD_S
            refusal = await self._tell(replica, partial(self._control.unload, at_once=True), ends_at)
        wait_s = POLL_S
        while True:
            state, heard = await self._ask(replica, ends_at)
            if state is False or heard.reason in _ABSENT:
                return
            if refusal is not None or monotonic() >= ends_at:
                raise refusal or _late(replica, heard)
            wait_s = await _wait(wait_s, ends_at)

    async def _meet(self, replica: Replica, ends_at: float) -> bool:
        """Whether it has the model already; one that is not there is waited for. Raises LoadFailed."""
        starting = self.how == "sleep" and replica.health.probed
        gone_at = min(ends_at, monotonic() + (START_S if starting else GONE_S))
        wait_s = POLL_S
        while True:
            state, heard = await self._ask(replica, ends_at)
            if heard.status or heard.late:
                return state is True
            if monotonic() >= gone_at:
                raise _failed(replica, heard)
            wait_s = await _wait(wait_s, gone_at)

    async def _tell(
        self, replica: Replica, steps: Callable[[], tuple[UpstreamRequest, ...]], ends_at: float
    ) -> LoadFailed | None:
        """None, or what it said against it, if it may be so already. Raises LoadFailed."""
        try:
            requests = steps()
        except GatewayError as error:
            raise LoadFailed(error.english, error.japanese, Reason.REFUSED) from None
        for request in requests:
            heard = await ask(replica, request, _left(ends_at), MOST_BYTES)
            if heard.late:
                raise _late(replica, heard)
            if heard.status in _NO_SUCH_PATH and "model" not in words_of(heard.body):
                missing = self._control.missing
                raise LoadFailed(f"{replica.label}: {missing.en}", f"{replica.label}: {missing.ja}", Reason.REFUSED)
            if not 200 <= heard.status < 300:
                failure = _failed(replica, heard)
                if heard.status == _PERHAPS_SO_ALREADY:
                    return failure
                raise failure
        return None

    async def _gone(self, replica: Replica) -> LoadFailed:
        """Why a model is not there that was to be loaded, though its engine agreed."""
        question = self._control.why()
        heard = Heard() if question is None else await ask(replica, question, ASK_S, MOST_BYTES)
        said = self._control.read_why(heard.body) or Text(
            "the model was loaded, and is gone again: something else unloads it there",
            "読み込んだモデルがすぐに解放されました。ほかのプログラムが操作している可能性があります",
        )
        return LoadFailed(f"{replica.label}: {said.en}", f"{replica.label}: {said.ja}", Reason.REFUSED)

    async def _ask(self, replica: Replica, ends_at: float) -> tuple[bool | None, Heard]:
        heard = await ask(replica, self._control.ask(), min(ASK_S, _left(ends_at)), MOST_BYTES)
        return self._control.read(heard.status, heard.body), heard


class _TakesTooLong(LoadFailed):
    """An engine did not answer in time that it has done what it was told."""


async def _wait(wait_s: float, ends_at: float) -> float:
    """Until it is asked again; how long to wait the next time."""
    await asyncio.sleep(min(wait_s, _left(ends_at)))
    return min(wait_s * 2, MOST_POLL_S)


def _left(ends_at: float) -> float:
    """Until then, in seconds: enough for one more question."""
    return max(POLL_S, ends_at - monotonic())


def _failed(replica: Replica, heard: Heard) -> LoadFailed:
    """In the engine's own words, without the gateway's key."""
    reason = heard.reason or reason_of(heard.status, heard.body, was_ready=True)
    return LoadFailed(f"{replica.label}: {heard.fault.en}", f"{replica.label}: {heard.fault.ja}", reason)


def _late(replica: Replica, heard: Heard) -> LoadFailed:
    said = heard.fault
    return _TakesTooLong(
        f"{replica.label}: it takes too long; the last it said: {said.en}",
        f"{replica.label}: 時間がかかりすぎています（最後の応答: {said.ja}）",
        Reason.FROZEN if heard.late else Reason.LOADING,
    )
