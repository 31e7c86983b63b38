"""An engine that the gateway runs: a child process under a keeper, on a port of its own of this machine.

Rule: it is loaded when it answers, and unloaded when nothing of it is left. One that ends by itself stays down until `load` is
called again; why it ended is told once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hayate.engines.base import How, LoadFailed
from hayate.engines.endings import Ending, cause, not_started, reason_for, what_happened
from hayate.engines.kept import Kept, NotStarted
from hayate.engines.ports import HOST, NoPort, Ports, is_taken
from hayate.engines.program import Program
from hayate.language import Text, reason_of
from hayate.reasons import Reason
from hayate.settings import EngineLog

PORTS_TRIED = 3


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: how often an engine that starts is asked, at first and later, and how long it may take to say no."""

    poll_s: float = 0.05
    longest_poll_s: float = 0.5
    answer_s: float = 5.0


class ProcessEngine:
    """One deployment's. `program` says what is started for a port; `moved` is told of a port that had to be given up for another
    before a start, so that calls go there.
    """

    def __init__(
        self,
        name: str,
        program: Callable[[int], Program],
        ports: Ports,
        log: Path,
        *,
        keeping: EngineLog | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.how: How = "run"
        self.pid: int | None = None
        self._name = name
        self._program = program
        self._ports = ports
        self.log: Path | None = log
        self._keeping = keeping
        self._patience = patience or Patience()
        self._kept: Kept | None = None
        self._loaded = False
        self._dropped: Ending | None = None
        """How the last one ended that was given up before it answered."""
        self.ended: Callable[[LoadFailed], None] | None = None
        self.moved: Callable[[int, int], None] | None = None
        """Called with the old port and the new one."""

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1. Raises NoPort."""
        return self._ports.of(self._name)

    async def state(self) -> bool:
        """Whether it runs and has answered."""
        return self._loaded

    async def load(self, limit_s: float) -> None:
        """Starts it and waits until it answers. Raises LoadFailed; then nothing is left running."""
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
        """Ends it, and whatever it has started. Raises LoadFailed when something can't even be killed."""
        self._loaded = False
        kept = self._kept
        if kept is None:
            return
        ending = await kept.stop()
        if self._kept is kept:
            self._kept = None
        if ending.left:
            pids = ", ".join(map(str, ending.left))
            raise self._failed(
                Reason.STILL_THERE,
                Text(f"its engine does not end, not even by SIGKILL (process {pids})",
                     f"SIGKILLでもエンジンを終了できません（プロセス{pids}）"),
            )  # fmt: skip

    async def close(self) -> None:
        """As `unload`; what can't be killed is left to the system."""
        try:
            await self.unload()
        except LoadFailed:
            return

    async def _started(self, *, last: bool) -> bool:
        """Whether it answers now; False: it has lost its port, and has another for the next try. Raises LoadFailed."""
        try:
            port = await self._free_port()
            program = self._program(port)
            self._kept = kept = await Kept.start(program, self.log, keeping=self._keeping)
        except NoPort:
            raise self._failed(
                Reason.PORT_TAKEN, Text(f"no port is free on {HOST}", f"{HOST}に空きポートがありません")
            ) from None
        except NotStarted as error:
            reason, text = not_started(program.command[0], error.number, there=error.there)
            raise self._failed(reason, text) from None
        except OSError as error:
            why = reason_of(error)
            raise self._failed(
                Reason.COMMAND_REFUSED,
                Text(f"no process could be started ({why.en})", f"プロセスを起動できません（{why.ja}）"),
            ) from None
        self.pid = kept.pid
        kept.ended.add_done_callback(lambda ended: self._over(kept, ended.result()))
        try:
            await self._answers(kept, port, program.ready)
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(self._drop(kept)))
            raise
        if not kept.ended.done():
            self._loaded = True
            return True
        ending = kept.ended.result()
        self._kept = None
        if ending.asked:
            raise self._failed(
                Reason.ENDED_EARLY, Text("its engine was ended while it started", "起動中に終了させられました")
            )
        if reason_for(ending, was_ready=False) is Reason.PORT_TAKEN and not last:
            self._move()
            return False
        raise self._ending(ending, was_ready=False)

    async def _answers(self, kept: Kept, port: int, path: str) -> None:
        """Returns once `path` says 2xx, or when it has ended."""
        pause_s = self._patience.poll_s
        while not kept.ended.done() and not await self._is_ready(port, path):
            await asyncio.wait([kept.ended], timeout=pause_s)
            pause_s = min(1.1 * pause_s, self._patience.longest_poll_s)

    async def _is_ready(self, port: int, path: str) -> bool:
        try:
            async with asyncio.timeout(self._patience.answer_s):
                reader, writer = await asyncio.open_connection(HOST, port)
                try:
                    writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode())
                    status = (await reader.readline()).split(b" ")[1:2]
                    return bool(status) and len(status[0]) == 3 and status[0].startswith(b"2")
                finally:
                    writer.close()
        except (OSError, TimeoutError, ValueError):  # ValueError: a first line without an end
            return False

    async def _free_port(self) -> int:
        port = self.port
        if is_taken(port):
            return self._move()
        return port

    def _move(self) -> int:
        old = self.port
        new = self._ports.another(self._name)
        if self.moved is not None:
            self.moved(old, new)
        return new

    async def _drop(self, kept: Kept) -> None:
        self._dropped = await kept.stop()
        if self._kept is kept:
            self._kept = None

    def _too_slow(self, limit_s: float) -> LoadFailed:
        """What to tell of one that started and never answered."""
        said = cause(self._dropped.lines) if self._dropped is not None else ""
        why = Text(f"; its last words: {said}", f"。最後の出力: {said}") if said else Text("", "")
        return self._failed(
            Reason.START_TIMEOUT,
            Text(
                f"its engine did not answer within {limit_s:g} s of its start{why.en}",
                f"エンジンが起動後{limit_s:g}秒以内に応答しませんでした{why.ja}",
            ),
        )

    def _over(self, kept: Kept, ending: Ending) -> None:
        """It has ended, and nobody had asked it to, unless `unload` has been here."""
        if self.pid == kept.pid:
            self.pid = None
        if not self._loaded or self._kept is not kept:
            return
        self._loaded, self._kept = False, None
        if self.ended is not None:
            self.ended(self._ending(ending, was_ready=True))

    def _ending(self, ending: Ending, *, was_ready: bool) -> LoadFailed:
        reason = reason_for(ending, was_ready=was_ready)
        return self._failed(reason, what_happened(ending, reason, was_ready=was_ready))

    def _failed(self, reason: Reason, what: Text) -> LoadFailed:
        advice = reason.advice
        return LoadFailed(
            f"{self._name}: {what.en}. {advice.en} Log: {self.log}",
            f"{self._name}: {what.ja}。{advice.ja} ログ: {self.log}",
            reason,
        )
