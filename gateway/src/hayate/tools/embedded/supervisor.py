"""Keeps the child engine alive: starts it, waits until it answers, starts one that ended again with backoff, ends it at the end.

Rule: the gateway is never told. Its own probe sees an engine that does not answer, and readiness says so. How a process is run,
watched and ended is `engines.process`.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from hayate.engines.base import LoadFailed
from hayate.engines.llamacpp import LlamaCpp
from hayate.engines.ports import FixedPort
from hayate.engines.process import Patience, ProcessEngine, ProcessFailed
from hayate.engines.program import Program
from hayate.language import Text
from hayate.settings import Loading
from hayate.telemetry.log_writer import write_error
from hayate.tools.embedded.backoff import Backoff
from hayate.tools.embedded.refusals import EngineFailed
from hayate.tools.embedded.speaker import Say


class Supervisor:
    """One child engine. `log` is the file its output goes to; None means our own standard error, to which we pass it
    on: an engine must not wait for whoever reads there, nor end when nobody does.
    """

    def __init__(
        self,
        settings: LlamaCpp,
        log: Path | None,
        say: Say,
        *,
        patience: Patience | None = None,
        backoff: Backoff | None = None,
        program: Program | None = None,
    ) -> None:
        started = program or settings.program(os.environ)
        self._name = Path(settings.model).name
        self._engine = ProcessEngine(
            self._name, lambda _: started, FixedPort(settings.port), log, show=write_error, patience=patience
        )
        self._engine.ended = self._ended
        self._say = say
        self._backoff = backoff or Backoff()
        self._again: asyncio.Task[None] | None = None
        self._wait_s = 0.0
        self._began = 0.0

    @property
    def pid(self) -> int | None:
        """The child's, while it runs."""
        return self._engine.pid

    async def start(self) -> None:
        """Starts the child and waits until it answers. Raises EngineFailed; then nothing is left running."""
        self._began = time.monotonic()
        try:
            await self._engine.load(Loading.load_timeout_s)
        except LoadFailed as error:
            raise EngineFailed(error.english, error.japanese) from None

    async def stop(self) -> None:
        """Ends the child: asked first, then killed."""
        if self._again is not None:
            self._again.cancel()
            await asyncio.gather(self._again, return_exceptions=True)
        await self._engine.close()

    def _ended(self, why: LoadFailed) -> None:
        self._again = asyncio.create_task(self._start_again(why), name="supervisor")

    async def _start_again(self, why: LoadFailed) -> None:
        """Until it answers, waiting longer each time."""
        while True:
            self._wait_s = self._backoff.next_s(self._wait_s, time.monotonic() - self._began)
            what = why.what if isinstance(why, ProcessFailed) else Text(why.english, why.japanese)
            self._say(
                f"{self._name}: {what.en}; starting it again in {self._wait_s:g} s.",
                f"{self._name}: {what.ja}。{self._wait_s:g}秒後に再起動します。",
            )
            await asyncio.sleep(self._wait_s)
            self._began = time.monotonic()
            try:
                await self._engine.load(Loading.load_timeout_s)
            except LoadFailed as error:
                why = error
            else:
                return
