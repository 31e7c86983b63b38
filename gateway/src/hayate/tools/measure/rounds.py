"""The measurement: for each model a warm-up, then its calls, `concurrency` at a time. Models take turns, never at once.

What has been measured stays in `Rounds` whatever ends it, so that Ctrl-C after an hour of a slow server still gives a table.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any, Protocol

import orjson

from hayate import __version__
from hayate.errors import GatewayError
from hayate.tools.measure.calls import Caller, MeasuredCall
from hayate.tools.measure.dialects import message_of, reader_of, request_of
from hayate.tools.measure.failure import HOPELESS, Failure
from hayate.tools.measure.plan import BenchPlan
from hayate.tools.measure.prompts import Messages, marked
from hayate.tools.measure.refusal import CannotMeasure
from hayate.tools.measure.target import Target
from hayate.tools.measure.words import reason
from hayate.upstream.connection_pool import ConnectionPool
from hayate.upstream_errors import ConnectFailed
from hayate.wire.upstream_request import UpstreamRequest

CONNECT_S = 10.0
LIST_S = 30.0
MAX_LISTED = 8
"""A server that lists more models than this is asked only for those that are named."""
UNNAMED = "default"
"""What a model is called that no request names."""


class MeasureObserver(Protocol):
    """Who is told how it goes. Called from the event loop: nothing here may take long."""

    def model_begun(self, model: str, calls: int) -> None:
        """The first call is about to leave."""

    def call_ended(self, call: MeasuredCall) -> None:
        """One more call is over."""

    def model_ended(self) -> None:
        """All calls of the model are over, or it was given up."""


@dataclass(slots=True)
class ModelRound:
    """One model's calls so far."""

    model: str
    calls: list[MeasuredCall] = field(default_factory=list)
    began: float = 0.0
    wall_s: float = 0.0
    warm_up_s: float | None = None


class Rounds:
    """One measurement. `run` fills it."""

    def __init__(self, plan: BenchPlan, progress: MeasureObserver) -> None:
        self.plan = plan
        self.models: list[ModelRound] = []
        self.complete = False
        self._progress = progress
        self._busy_s = 0.0

    @property
    def client_cpu_share(self) -> float:
        """How much of one core this process used while it measured. Near 1 it would have been what was measured."""
        wall_s = sum(each.wall_s for each in self.models)
        return self._busy_s / wall_s if wall_s > 0 else 0.0

    async def run(self) -> None:
        """Measures every model. Raises CannotMeasure when nothing can be."""
        target = self.plan.target
        headers = [(b"user-agent", f"hayate-bench/{__version__}".encode())]
        headers.append((b"accept-language", self.plan.language.encode()))
        if target.key is not None:
            headers.append((b"authorization", b"Bearer " + target.key.encode()))
        pool = ConnectionPool(target.origin, connect_s=CONNECT_S, credentials=tuple(headers))
        try:
            for model in self.plan.models or await _offered(pool, target):
                await self._measure(model, pool)
            self.complete = True
        finally:
            pool.close()

    async def _measure(self, model: str, pool: ConnectionPool) -> None:
        plan = self.plan
        one = ModelRound(model)
        self.models.append(one)
        caller = Caller(pool, partial(reader_of, plan.target.api), plan.timeout_s, plan.target.key)
        if plan.warm_up:
            first = await caller.call(0, self._request(plan.prompts.warm_up, model), perf_counter())
            one.warm_up_s = first.total_s
            if first.failure is not None and first.failure.reason in HOPELESS:
                one.calls.append(first)
                return
        requests = [self._request(self._prompt(number), model) for number in range(plan.calls)]
        self._progress.model_begun(model, plan.calls)
        one.began, busy = perf_counter(), time.process_time()
        waiting = iter(enumerate(requests, 1))

        async def worker() -> None:
            for number, request in waiting:
                call = await caller.call(number, request, one.began)
                one.calls.append(call)
                self._progress.call_ended(call)

        try:
            async with asyncio.TaskGroup() as workers:
                for _ in range(min(plan.concurrency, plan.calls)):
                    workers.create_task(worker())
        finally:
            one.wall_s = perf_counter() - one.began
            self._busy_s += time.process_time() - busy
            one.calls.sort(key=lambda call: call.number)
            self._progress.model_ended()

    def _prompt(self, number: int) -> Messages:
        prompts = self.plan.prompts.prompts
        chosen = prompts[number % len(prompts)]
        return marked(chosen, f"[{secrets.token_hex(4)}]") if self.plan.unique else chosen

    def _request(self, messages: Messages, model: str) -> UpstreamRequest:
        named = None if model == UNNAMED and not self.plan.models else model
        return request_of(self.plan.target.api, messages, named, self.plan.max_tokens, self.plan.temperature)


async def _offered(pool: ConnectionPool, target: Target) -> Sequence[str]:
    """What to measure when no model is named: a gateway's deployments, or all that a server lists. Raises CannotMeasure."""
    if target.api == "generate_stream":
        return (UNNAMED,)
    status, body = await _listed(pool, target)
    if status in (404, 405, 501):
        return (UNNAMED,)
    if status != 200:
        told = Failure(f"status_{status}", message_of(body)).told(target.key)
        en, ja = ("\n" + reason(told.reason, each) if status == 401 else "" for each in ("en", "ja"))
        raise CannotMeasure(
            f"{target.origin}: {status} {told.detail}{en}", f"{target.origin}: {status} {told.detail}{ja}"
        )
    items = body.get("data") if isinstance(body, dict) else None
    models = [item for item in items or () if isinstance(item, dict) and isinstance(item.get("id"), str)]
    kinds = [(item["id"], _kind(item)) for item in models]
    names = [name for name, kind in kinds if kind == "deployment"] or [name for name, kind in kinds if kind != "alias"]
    if len(names) > MAX_LISTED:
        some = ", ".join(names[:MAX_LISTED])
        raise CannotMeasure(
            f"{target.origin} lists {len(names)} models ({some}, …): choose with --models.",
            f"{target.origin} には{len(names)}個のモデルがあります（{some} など）。--models で選んでください。",
        )
    return names or (UNNAMED,)


def _kind(item: dict[str, Any]) -> str | None:
    ours = item.get("hayate")
    return ours.get("kind") if isinstance(ours, dict) else None


async def _listed(pool: ConnectionPool, target: Target) -> tuple[int, Any]:
    try:
        async with asyncio.timeout(LIST_S):
            exchange = await pool.send(UpstreamRequest("/v1/models", method=b"GET"), first_byte_s=LIST_S)
            try:
                status, body = exchange.status, await exchange.read()
            finally:
                exchange.close()
        return status, orjson.loads(body)
    except orjson.JSONDecodeError:
        return status, body[:200].decode("utf-8", "replace")
    except (GatewayError, TimeoutError) as error:
        why = (error.cause if isinstance(error, ConnectFailed) else "") or "no answer"
        raise CannotMeasure(
            f"{target.origin} does not answer ({why}). Is the gateway running (make run, docker compose up)? --url names another.",
            f"{target.origin} が応答しません（{why}）。ゲートウェイは起動していますか（make run、docker compose up）。"
            "別の宛先は --url で指定します。",
        ) from None
