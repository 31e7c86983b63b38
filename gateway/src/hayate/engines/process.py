"""An engine that the gateway runs: a child process under a keeper, on a port of its own of this machine.

Rule: it is loaded when it answers, and unloaded when nothing of it is left. One that ends by itself stays down until `load` is
called again; why it ended is told once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hayate.engines.base import How, LoadFailed
from hayate.engines.endings import Ending, cause, not_started, reason_for, what_happened
from hayate.engines.kept import Kept, NotStarted, Show
from hayate.engines.ports import NoPort, Ports, is_taken
from hayate.engines.program import Program
from hayate.engines.ready import answers
from hayate.language import Text, reason_of
from hayate.reasons import Reason

PORTS_TRIED = 3


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: how often an engine that starts is asked, at first and later, how often one that runs, and how long it may take."""

    poll_s: float = 0.05
    longest_poll_s: float = 0.5
    watch_s: float = 5.0
    answer_s: float = 5.0


class ProcessFailed(LoadFailed):
    """With the sentence alone that says what happened, for who goes on from it."""

    def __init__(self, name: str, what: Text, reason: Reason, log: Path | None) -> None:
        where = Text(f" Log: {log}", f"ログ: {log}") if log is not None else Text("", "")
        advice = reason.advice
        super().__init__(
            f"{name}: {what.en}. {advice.en}{where.en}", f"{name}: {what.ja}。{advice.ja}{where.ja}", reason
        )
        self.what = what


class ProcessEngine:
    """One deployment's. `program` says what is started for a port. Its output goes to `log`, or without one to `show`."""

    def __init__(
        self,
        name: str,
        program: Callable[[int], Program],
        ports: Ports,
        log: Path | None,
        show: Show | None = None,
        *,
        patience: Patience | None = None,
    ) -> None:
        self.how: How = "run"
        self.pid: int | None = None
        self.log: Path | None = log
        self.ended: Callable[[LoadFailed], None] | None = None
        self.moved: Callable[[int, int], None] | None = None
        """Called with the old port and the new one, when another program has the old: before a start, so that calls go there."""
        self._name = name
        self._program = program
        self._ports = ports
        self._show = show
        self._patience = patience or Patience()
        self._kept: Kept | None = None
        self._loaded = False
        self._hung = False
        self._watch: asyncio.Task[None] | None = None
        self._dropped: Ending | None = None
        """How the last one ended that was given up before it answered."""

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1. Raises NoPort."""
        return self._ports.of(self._name)

    async def state(self) -> bool:
        """Whether it runs and has answered."""
        return self._loaded

    async def load(self, limit_s: float) -> None:
        """Starts it and waits until it answers. Raises ProcessFailed; then nothing is left running."""
        if self._loaded:
            return
        self._dropped = None
        try:
            async with asyncio.timeout(limit_s):
                for left in reversed(range(PORTS_TRIED)):
                    if await self._started(last=not left):
                        return
        except TimeoutError:
            raise self._too_slow(limit_s) from None

    async def unload(self) -> None:
        """Ends it, and whatever it has started. Raises ProcessFailed when something can't even be killed."""
        self._loaded = False
        kept = self._kept
        if kept is None:
            return
        ending = await kept.stop()
        if self._kept is kept:
            self._kept = None
        if ending.left:
            pids = ", ".join(map(str, ending.left))
            what = Text(
                f"its engine does not end, not even by SIGKILL (process {pids})",
                f"SIGKILLでもエンジンを終了できません（プロセス{pids}）",
            )
            raise self._failed(what, Reason.STILL_THERE)

    async def close(self) -> None:
        """As `unload`; what can't be killed is left to the system."""
        try:
            await self.unload()
        except LoadFailed:
            return

    async def _started(self, *, last: bool) -> bool:
        """Whether it answers now; False: it has lost its port, and has another for the next try. Raises ProcessFailed."""
        kept, port, program = await self._begun()
        self._kept, self.pid, self._hung = kept, kept.pid, False
        kept.ended.add_done_callback(lambda ended: self._over(kept, ended.result()))
        try:
            await self._ready(kept, port, program)
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(self._drop(kept)))
            raise
        if not kept.ended.done():
            self._loaded = True
            if program.silent_s is not None:
                self._watch = asyncio.create_task(self._listen(kept, port, program), name=f"watch-{self._name}")
            return True
        ending = kept.ended.result()
        self._kept = self.pid = None  # what is told of the end (`_over`) may come a moment later
        if ending.asked:
            raise self._failed(
                Text("its engine was ended while it started", "起動中に終了させられました"), Reason.ENDED_EARLY
            )
        if reason_for(ending, was_ready=False) is Reason.PORT_TAKEN and not last:
            try:
                self._move()
            except NoPort as error:
                raise self._failed(error.texts, Reason.PORT_TAKEN) from None
            return False
        raise self._ending(ending, was_ready=False)

    async def _begun(self) -> tuple[Kept, int, Program]:
        """A process that has just been started. Raises ProcessFailed."""
        try:
            port = self._move() if is_taken(self.port) else self.port
            program = self._program(port)
            return await Kept.start(program, self.log, self._show), port, program
        except NoPort as error:
            raise self._failed(error.texts, Reason.PORT_TAKEN) from None
        except NotStarted as error:
            reason, what = not_started(program.command[0], error.number, there=error.there)
            raise self._failed(what, reason) from None
        except OSError as error:
            why = reason_of(error)
            what = Text(f"no process could be started ({why.en})", f"プロセスを起動できません（{why.ja}）")
            raise self._failed(what, Reason.COMMAND_REFUSED) from None

    async def _ready(self, kept: Kept, port: int, program: Program) -> None:
        """Returns once it answers, or when it has ended."""
        pause_s = self._patience.poll_s
        while not kept.ended.done() and not await self._answers(port, program):
            await asyncio.wait([kept.ended], timeout=pause_s)
            pause_s = min(1.1 * pause_s, self._patience.longest_poll_s)

    async def _listen(self, kept: Kept, port: int, program: Program) -> None:
        """Until it has ended, or has been silent for so long that it is ended."""
        heard_at = time.monotonic()
        while not (await asyncio.wait([kept.ended], timeout=self._patience.watch_s))[0]:
            if await self._answers(port, program):
                heard_at = time.monotonic()
            elif program.silent_s is not None and time.monotonic() - heard_at > program.silent_s and self._loaded:
                self._hung = True
                await kept.stop()

    async def _answers(self, port: int, program: Program) -> bool:
        return await answers(port, program.ready, self._patience.answer_s, program.credentials)

    def _move(self) -> int:
        """Another port than the one it has. Raises NoPort."""
        old = self.port
        new = self._ports.another(self._name)
        if self.moved is not None:
            self.moved(old, new)
        return new

    async def _drop(self, kept: Kept) -> None:
        self._dropped = await kept.stop()
        if self._kept is kept:
            self._kept = None

    def _over(self, kept: Kept, ending: Ending) -> None:
        """It has ended, and nobody had asked it to, unless `unload` has been here."""
        if self.pid == kept.pid:
            self.pid = None
        if not self._loaded or self._kept is not kept:
            return
        self._loaded, self._kept = False, None
        if self.ended is not None:
            self.ended(self._ending(ending, was_ready=True))

    def _ending(self, ending: Ending, *, was_ready: bool) -> ProcessFailed:
        if self._hung:
            what = Text(
                "its engine did not answer any more and was ended", "エンジンが応答しなくなったため、終了させました"
            )
            return self._failed(what, Reason.FROZEN)
        reason = reason_for(ending, was_ready=was_ready)
        return self._failed(what_happened(ending, reason, was_ready=was_ready), reason)

    def _too_slow(self, limit_s: float) -> ProcessFailed:
        """What to tell of one that started and never answered."""
        said = cause(self._dropped.lines) if self._dropped is not None else ""
        why = Text(f"; its last words: {said}", f"。最後の出力: {said}") if said else Text("", "")
        what = Text(
            f"its engine did not answer within {limit_s:g} s of its start{why.en}",
            f"エンジンが起動後{limit_s:g}秒以内に応答しませんでした{why.ja}",
        )
        return self._failed(what, Reason.START_TIMEOUT)

    def _failed(self, what: Text, reason: Reason) -> ProcessFailed:
        return ProcessFailed(self._name, what, reason, self.log)
