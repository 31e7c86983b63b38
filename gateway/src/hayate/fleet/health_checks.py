"""Asks every replica whether it lives and what it serves; sooner while something is wrong, and at once after a failed
call.

One task per replica, so that one that hangs holds up no other. An answer that says "no such path" (404, 405, 501) or
"not so often" (429, 529) comes from a live engine. Model lists are asked for with the probes, and again when a name is
asked for that nobody serves (`refresh`): one asking at a time and MISS_S between two, whoever asks how often.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import orjson

from hayate.fleet.deployment import Deployment
from hayate.fleet.fleet import Fleet
from hayate.fleet.replica import Replica
from hayate.fleet.turns import by_turns, part_of_interval
from hayate.language import Text
from hayate.policy.health import CLOSE_S
from hayate.reasons import Reason
from hayate.upstream.exchange import Exchange
from hayate.upstream_errors import UpstreamError, UpstreamTimeout
from hayate.wire.engine_errors import reason_of, words_of
from hayate.wire.upstream_request import UpstreamRequest

ALIVE = frozenset({404, 405, 501, 429, 529})
"""Beside 2xx."""
KEY_REFUSED = 401
TICK_S = 0.1
MODELS_EVERY_S = 4.0
"""How old a model list may be at a probe before it is asked for again: with the default interval, at every one."""
MISS_S = 1.0
STOOD_STILL_S = 0.25
"""A limit that ends so much too late: what has come meanwhile was not read to its end, which takes more than one callback."""
ANOTHER_REASON_S = 30.0
"""How soon the operator is told another reason why a replica is not there."""

SHOWN_CHARS = 160
"""Of what an engine says to a probe."""
NOTHING = Text("", "")

OnChange = Callable[[Replica, bool], None]


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of asking: a status with its body, or none, and why; `late` when it was for lack of an answer in time."""

    status: int = 0
    body: bytes = b""
    fault: Text = NOTHING
    late: bool = False
    unheard: bool = False
    """Late, and nobody listened when the time was over: this process stood still. There may have been an answer."""
    reason: Reason | None = None
    """Of there being no answer."""

    @property
    def good(self) -> bool:
        """Whether a live engine said this."""
        return 200 <= self.status < 300 or self.status in ALIVE

    def parsed(self) -> object:
        """The body of a 200, read; None when there is nothing to read."""
        if self.status != 200 or not self.body:
            return None
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


async def ask(replica: Replica, request: UpstreamRequest, limit_s: float, most_bytes: int | None = None) -> Heard:
    """One question on a connection of its own. An answer of more than `most_bytes` has no body."""
    over_at = monotonic() + limit_s
    try:
        async with asyncio.timeout(limit_s):
            exchange = await replica.pool.send(request, first_byte_s=limit_s, fresh=True, keep=False)
            try:
                body = await _read(exchange, limit_s, most_bytes)
            finally:
                exchange.close()
    except (TimeoutError, UpstreamTimeout):
        unheard = monotonic() - over_at > STOOD_STILL_S
        return Heard(fault=_no_answer(request.path, limit_s), late=True, unheard=unheard, reason=Reason.FROZEN)
    except UpstreamError as error:
        return Heard(fault=error.texts, reason=error.reason)
    return Heard(exchange.status, body, _status(replica, request.path, exchange.status, body))


async def _read(exchange: Exchange, limit_s: float, most_bytes: int | None) -> bytes:
    if most_bytes is None:
        return await exchange.read()
    body = await exchange.read_held(most_bytes, silence_s=limit_s)
    return b"" if body is None or len(body) > most_bytes else body


def _no_answer(path: str, limit_s: float) -> Text:
    return Text(f"no answer to {path} within {limit_s:g} s", f"{path}に{limit_s:g}秒以内の応答がありません")


def _status(replica: Replica, path: str, status: int, body: bytes) -> Text:
    """What was answered, with the engine's own words where it has some; no key is cut in two, and so overlooked."""
    said = "" if status < 300 or status in ALIVE else replica.without_key(words_of(body))[:SHOWN_CHARS]
    return Text(
        f"status {status} at {path}" + (f": {said}" if said else ""),
        f"{path}の応答が{status}です" + (f"（{said}）" if said else ""),
    )


def tell_state(replica: Replica, now: float, on_change: OnChange) -> None:
    """Says that a replica has come or gone, or why it is not there yet; another reason for the same, not too often."""
    state, told = replica.health.ready(now) or replica.trouble(now), replica.told
    if state is told or (state is None and told is not True):
        return
    if isinstance(state, Reason) and isinstance(told, Reason) and now - replica.told_at < ANOTHER_REASON_S:
        return
    replica.told, replica.told_at = state, now
    on_change(replica, state is True)


class Prober:
    """Watches a fleet. One per gateway."""

    def __init__(self, fleet: Fleet, *, on_change: OnChange) -> None:
        self._fleet = fleet
        self._on_change = on_change
        self._watches: dict[Replica, asyncio.Task[None]] = {}
        self._watched: object = None
        """The tables as they were when each replica in them was given its watch."""
        self._begun = 0
        self._ended = False
        self._listed_at: dict[Replica, float] = {}
        self._refreshing: asyncio.Task[None] | None = None
        self._refreshed_at = -MISS_S

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self._keep_watches()
                await asyncio.sleep(TICK_S)
        finally:
            for task in self._watches.values():
                task.cancel()
            await asyncio.gather(*self._watches.values(), return_exceptions=True)

    async def refresh(self) -> None:
        """Asks every replica that can be called what it serves, unless that was just done. Waits no longer than a probe does."""
        if self._refreshing is None:
            if monotonic() - self._refreshed_at < MISS_S:
                return
            self._refreshing = asyncio.create_task(self._refresh())
        await asyncio.wait({self._refreshing}, timeout=self._fleet.probing.probe_timeout_s)

    async def _refresh(self) -> None:
        now = monotonic()
        pairs = [
            (each, replica)
            for each in self._fleet.deployments.values()
            for replica in each.replicas
            if each.loaded and replica.available(now)
        ]
        try:
            async with asyncio.TaskGroup() as asking:
                async for deployment, replica in by_turns(pairs):
                    asking.create_task(self._list(deployment, replica))
        finally:
            self._refreshing = None
            self._refreshed_at = monotonic()

    async def _keep_watches(self) -> None:
        """One running task for every replica there is, and for no other."""
        if self._fleet.deployments is self._watched and not self._ended:  # nearly always: the tables are swapped whole
            return
        self._watched, self._ended = self._fleet.deployments, False
        pairs = {replica: each for each in self._fleet.deployments.values() for replica in each.replicas}
        for replica in [each for each in self._watches if each not in pairs]:
            self._watches.pop(replica).cancel()
            self._listed_at.pop(replica, None)
        unwatched = [each for each in pairs if each not in self._watches or self._watches[each].done()]
        async for replica in by_turns(unwatched):
            task = self._watches.get(replica)
            if task is not None:  # a fault of ours: told, and the watch goes on
                asyncio.get_running_loop().call_exception_handler(
                    {"message": f"watching {replica.label} failed", "exception": task.exception()}
                )
            task = asyncio.create_task(self._watch(pairs[replica], replica, part_of_interval(self._begun)))
            task.add_done_callback(self._watch_ended)
            self._watches[replica] = task
            self._begun += 1

    def _watch_ended(self, _: asyncio.Task[None]) -> None:
        self._ended = True

    async def _watch(self, deployment: Deployment, replica: Replica, part: float) -> None:
        """`part`: of the interval that it waits after the first time, so that not all are asked at the same time ever after."""
        while True:
            replica.doubt.clear()
            now = monotonic()
            request = deployment.probe()
            if not deployment.loaded:  # nobody is there who could answer
                pass
            elif request is not None:
                await self._probe(deployment, replica, request)
            elif replica not in self._listed_at:
                await self._list(deployment, replica)
            waited_s = monotonic() - now
            wait_s = replica.health.probe_in_s(now + waited_s, self._fleet.probing.probe_interval_s)
            wait_s, part = wait_s * part, 1.0
            await asyncio.sleep(min(wait_s, CLOSE_S))  # however many calls fail, it is asked no more often
            if wait_s > CLOSE_S:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s - CLOSE_S):
                        await replica.doubt.wait()

    async def _probe(self, deployment: Deployment, replica: Replica, request: UpstreamRequest) -> None:
        health, began = replica.health, monotonic()
        was_ready, calls, ended = health.ready(began), replica.pool.busy_connections, replica.ended
        moved_before = replica.progress.last
        heard = await ask(replica, request, self._fleet.probing.probe_timeout_s)
        now = monotonic()
        if heard.good:
            # What it serves comes first: who is ready can be asked at once, and some adapters must know the engine's inputs.
            old = now - self._listed_at.get(replica, -MODELS_EVERY_S) >= min(
                MODELS_EVERY_S, self._fleet.probing.probe_interval_s
            )
            if not was_ready or old:
                await self._list(deployment, replica, {request.path: heard})
                now = monotonic()
            if replica.key_refused:  # it lives, and no call of ours will be served
                health.probe_failed(now)
            else:
                health.probe_succeeded(now, beside=calls > 0 and replica.ended == ended)
        elif not heard.unheard:
            before = health.probe_failures
            if heard.late:
                moved = replica.progress.last > moved_before
                health.probe_timed_out(now, calls=calls > 0, moved=moved)
            else:
                health.probe_failed(now)
            if health.probe_failures > before:
                reason = heard.reason or reason_of(heard.status, heard.body, was_ready=health.probed)
                replica.note(Text(f"probe: {heard.fault.en}", f"稼働確認: {heard.fault.ja}"), reason)
        tell_state(replica, now, self._on_change)

    async def meet(self, deployment: Deployment) -> None:
        """Engines have come that can be asked: what they serve is known when this returns."""
        for replica in deployment.replicas:
            replica.renew()
            await self._list(deployment, replica)
            if not replica.key_refused:
                replica.health.probe_succeeded(monotonic())
            tell_state(replica, monotonic(), self._on_change)

    async def _list(self, deployment: Deployment, replica: Replica, known: dict[str, Heard] | None = None) -> None:
        """Learns what a replica serves; what was `known` already is not asked for again."""
        heard = [
            (known or {}).get(request.path) or await ask(replica, request, self._fleet.probing.probe_timeout_s)
            for request in deployment.backend.describe()
        ]
        # One that came to life between two questions is asked again; one that answers not every question is not.
        if any(each.status for each in heard) and all(each.status or each.late for each in heard):
            self._listed_at[replica] = monotonic()
        if any(each.status for each in heard):
            replica.key_refused = any(each.status == KEY_REFUSED for each in heard)
        if replica.key_refused:
            said = Text(
                "its models can't be listed: the gateway's key is refused", "キーが拒否され、モデル一覧を取得できません"
            )
            replica.note(said, Reason.WRONG_KEY)
        before = replica.served
        deployment.describe(replica, [each.parsed() for each in heard])
        if replica.served != before:
            self._fleet.refresh(deployment)
