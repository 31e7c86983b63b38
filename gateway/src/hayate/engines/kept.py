"""The gateway's end of a keeper (`engines.keeper`): starts one with an engine under it, hears how the engine ended, and ends it.

Rule: whatever becomes of who waits here, an engine that was started ends when `stop` is called or this process does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import IO, Any, cast

import orjson

from hayate.engines.endings import Ending, lines_of
from hayate.engines.keeper import KILLED_S
from hayate.engines.program import Program, without_secrets
from hayate.settings import EngineLog

KEEPER = (sys.executable, "-P", "-m", "hayate.engines.keeper")
MAX_LINE_BYTES = 1024 * 1024
"""Of what a keeper says: the engine's last words, each control character of them as six."""
MARGIN_S = 20.0
"""What a keeper may take beyond the time that it gives its engine; a machine that is short of memory is slow."""
POLL_S = 0.01
PIECE_BYTES = 64 * 1024
Show = Callable[[bytes], object]


class NotStarted(Exception):
    """The program could not be started: the system's error, and whether there is a file of that name."""

    def __init__(self, number: int, *, there: bool) -> None:
        super().__init__(os.strerror(number))
        self.number, self.there = number, there


class Kept:
    """One engine under its keeper, from its start to its end."""

    def __init__(self, process: subprocess.Popen[bytes], stop_s: float) -> None:
        self._process = process
        self._stdin, self._stdout = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
        self._stop_s = stop_s
        self._held: asyncio.WriteTransport | None = None
        self._read: list[asyncio.ReadTransport] = []
        self._shown: asyncio.Future[None] | None = None
        self._released = False
        self._tasks: set[asyncio.Future[None]] = set()
        self.pid = 0
        """The engine's."""
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        """How it ended, once nothing of it is left."""

    @property
    def keeper_pid(self) -> int:
        """Of the process between the engine and us."""
        return self._process.pid

    @classmethod
    async def start(cls, program: Program, log: Path | None, show: Show | None = None) -> Kept:
        """Starts the program. Its output goes to `log`, or else to `show`, piece by piece. Raises NotStarted, OSError."""
        process = subprocess.Popen(  # noqa: ASYNC220, S603  it takes as long as a fork, as asyncio's own does
            KEEPER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if log is None else None,
            env=without_secrets(os.environ),
            start_new_session=True,
        )
        kept = cls(process, program.stop_s)
        beginning = kept._spawn(kept._begin(_told(program, log), show))
        try:
            await asyncio.shield(beginning)
        except asyncio.CancelledError:
            kept._let_go()
            await asyncio.wait([beginning])  # a moment: it ends as it began, and nothing is left
            if kept.pid:
                await asyncio.wait([kept.ended])
            raise
        return kept

    async def stop(self) -> Ending:
        """Ends the engine, asked first and then killed, and whatever it has started. Returns when nothing is left."""
        self._let_go()
        done, _ = await asyncio.wait([self.ended], timeout=self._stop_s + KILLED_S + MARGIN_S)
        if not done:  # a keeper that hangs
            self._kill()
            await asyncio.wait([self.ended], timeout=MARGIN_S)
        return self.ended.result() if self.ended.done() else Ending(None, asked=True, left=(self.pid,))

    async def _begin(self, told: bytes, show: Show | None) -> None:
        self._held, _ = await asyncio.get_running_loop().connect_write_pipe(asyncio.BaseProtocol, self._stdin)
        output = await self._reader(self._stdout)
        if self._process.stderr is not None:
            self._shown = self._spawn(_pass_on(await self._reader(self._process.stderr), show))
        if self._released:
            self._held.close()
        else:
            self._held.write(told)
        said = orjson.loads(await output.readline() or b'{"errno": 0, "there": true}')
        if "pid" not in said:
            self._let_go()
            await self._collected()
            raise NotStarted(said["errno"], there=said["there"])
        self.pid = said["pid"]
        self._spawn(self._await_end(output))

    async def _await_end(self, output: asyncio.StreamReader) -> None:
        """Until the keeper has told how it ended, or is gone without a word: then its engine may be there still."""
        said: dict[str, Any] = {}
        with contextlib.suppress(ValueError):  # a line beyond all measure, or none of ours
            said = orjson.loads(await output.readline() or b"{}")
        if not said:
            self._kill()
        self._let_go()
        await self._collected()
        self.ended.set_result(
            Ending(
                status=said.get("status"),
                asked=said.get("asked", False),
                killed=said.get("killed", False),
                oom_kills=said.get("oom_kills"),
                left=tuple(said.get("left", ())),
                lines=lines_of(said.get("tail", "")),
            )
        )

    async def _reader(self, pipe: IO[bytes]) -> asyncio.StreamReader:
        loop, reader = asyncio.get_running_loop(), asyncio.StreamReader(limit=MAX_LINE_BYTES)
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        self._read.append(transport)
        return reader

    def _let_go(self) -> None:
        """The end of the pipe is the keeper's word to end everything."""
        self._released = True
        if self._held is not None:
            self._held.close()

    def _kill(self) -> None:
        for group in {self._process.pid, self.pid} - {0}:
            with contextlib.suppress(OSError):
                os.killpg(group, signal.SIGKILL)

    async def _collected(self) -> None:
        while self._process.poll() is None:  # noqa: ASYNC110  it has closed its output, so it ends now
            await asyncio.sleep(POLL_S)
        if self._shown is not None:
            await asyncio.wait([self._shown], timeout=MARGIN_S)
        for transport in self._read:
            transport.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Future[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waits for it has it too; who was cancelled does not want it any more


def _told(program: Program, log: Path | None) -> bytes:
    told = {
        "command": program.command,
        "env": program.env,
        "stdin": program.stdin,
        "stop": program.stop,
        "stop_s": program.stop_s,
        "log": str(log) if log is not None else None,
        "log_bytes": EngineLog.max_bytes,
        "log_files": EngineLog.older,
    }
    return json.dumps(told).encode() + b"\n"  # a path that is no UTF-8 has its own way in ASCII, which orjson refuses


async def _pass_on(output: asyncio.StreamReader, show: Show | None) -> None:
    while piece := await output.read(PIECE_BYTES):
        if show is not None:
            show(piece)
