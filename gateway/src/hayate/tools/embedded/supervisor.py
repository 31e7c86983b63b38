"""Keeps the child engine alive: starts it, waits until it answers, starts a dead one again with backoff, ends it at the end.

Rule: the gateway is never told. Its own probe sees an engine that does not answer, and readiness says so. Whatever
happens to the task that waits here, the child is killed before `stop` returns or raises.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from hayate.language import reason_of
from hayate.telemetry.log_writer import write_error
from hayate.tools.embedded.backoff import Backoff
from hayate.tools.embedded.child import PORT_TAKEN
from hayate.tools.embedded.refusals import EngineFailed
from hayate.tools.embedded.settings import EngineSettings
from hayate.tools.embedded.speaker import Say

MAX_LINE_BYTES = 65536
COMMAND = (sys.executable, "-m", "hayate.tools.embedded.child")


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: how often the engine is asked, and how long it may keep silent."""

    poll_s: float = 0.05
    watch_s: float = 5.0
    answer_s: float = 2.0
    loading_s: float = 600.0
    silent_s: float = 30.0
    stop_s: float = 1.0


class Supervisor:
    """One child engine. `log` is the file its output goes to; None means our own standard error, to which we pass it
    on: an engine must not wait for whoever reads there, nor end when nobody does.
    """

    def __init__(
        self,
        settings: EngineSettings,
        log: Path | None,
        say: Say,
        *,
        patience: Patience | None = None,
        backoff: Backoff | None = None,
        command: tuple[str, ...] = COMMAND,
    ) -> None:
        self._settings = settings
        self._log = log
        self._say = say
        self._patience = patience or Patience()
        self._backoff = backoff or Backoff()
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._relays: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """The child's, while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Starts the child and waits until it answers. Raises EngineFailed; then nothing is left running."""
        try:
            process = await self._spawn()
            await self._loaded(process)
        except BaseException as error:
            await self.stop()
            if isinstance(error, OSError):
                why = reason_of(error)
                raise self._failed(f"can't be started: {why.en}", f"起動できません（{why.ja}）") from None
            raise
        self._watch = asyncio.create_task(self._keep_alive(process), name="supervisor")

    async def stop(self) -> None:
        """Ends the child: asked first, then killed."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None
        await self._end()
        if self._relays:  # its last words: why it did not start, say
            await asyncio.wait(self._relays, timeout=self._patience.stop_s)

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        try:
            self._signal(process, signal.SIGTERM)
            async with asyncio.timeout(self._patience.stop_s):
                await process.wait()
        except TimeoutError:
            self._signal(process, signal.SIGKILL)
            await process.wait()
        except BaseException:
            self._signal(process, signal.SIGKILL)
            raise

    async def _loaded(self, process: asyncio.subprocess.Process) -> None:
        deadline = time.monotonic() + self._patience.loading_s
        while not await self._answers():
            if process.returncode is not None:
                raise self._died(process.returncode)
            if time.monotonic() > deadline:
                raise self._failed("did not finish loading", "モデルの読み込みが終わりませんでした")
            await asyncio.sleep(self._patience.poll_s)

    async def _keep_alive(self, process: asyncio.subprocess.Process) -> None:
        wait_s = 0.0
        while True:
            began = time.monotonic()
            status = await self._dead(process)
            wait_s = self._backoff.next_s(wait_s, time.monotonic() - began)
            self._say(
                f"The engine ended ({_ending(status)}); starting it again in {wait_s:g} s.",
                f"エンジンが終了しました（{_ending(status)}）。{wait_s:g}秒後に再起動します。",
            )
            await asyncio.sleep(wait_s)
            with contextlib.suppress(OSError):  # no process to be had just now: the next round waits longer
                process = await self._spawn()

    async def _dead(self, process: asyncio.subprocess.Process) -> int:
        """Waits until the child is dead; one that stays silent is killed. Its exit status."""
        silence_ends = time.monotonic() + self._patience.loading_s
        while process.returncode is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._patience.watch_s):
                    return await process.wait()
            if await self._answers():
                silence_ends = time.monotonic() + self._patience.silent_s
            elif time.monotonic() > silence_ends:
                self._signal(process, signal.SIGKILL)
        return await process.wait()

    async def _spawn(self) -> asyncio.subprocess.Process:
        """A child in a session of its own: a terminal's Ctrl-C goes to the gateway alone, which lets running calls end first."""
        output = self._log.open("ab") if self._log is not None else None
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=output if output is not None else asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            if output is not None:
                output.close()
        self._process = process
        if process.stdout is not None:
            relay = asyncio.create_task(_pass_on(process.stdout), name="engine-output")
            self._relays.add(relay)
            relay.add_done_callback(self._relays.discard)
        if process.stdin is not None and not process.stdin.is_closing():  # it may have ended already
            process.stdin.write(self._settings.render())  # and kept open: its end tells the child that we are gone
        return process

    async def _answers(self) -> bool:
        """Whether /health says 200; llama.cpp says 503 while it loads."""
        try:
            async with asyncio.timeout(self._patience.answer_s):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._settings.port)
                try:
                    writer.write(b"GET /health HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")
                    return (await reader.readline()).split(b" ")[1:2] == [b"200"]
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return False

    @staticmethod
    def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)

    def _died(self, status: int) -> EngineFailed:
        if status == PORT_TAKEN:
            return self._failed(
                f"lost its port {self._settings.port} to another program; start again",
                f"ポート{self._settings.port}は別のプログラムに使用されています。もう一度起動してください",
            )
        reason = self._last_error() or _ending(status)
        return self._failed(f"could not start: {reason}", f"起動できませんでした: {reason}")

    def _failed(self, english: str, japanese: str) -> EngineFailed:
        where = f" ({self._log})" if self._log is not None else ""
        name = self._settings.model_path
        return EngineFailed(f"The engine for {name} {english}{where}.", f"{name}のエンジン: {japanese}{where}。")

    def _last_error(self) -> str:
        """llama.cpp's first line of error, which names the cause; later ones say what followed from it."""
        if self._log is None:
            return ""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [parts[2] for line in lines if len(parts := line.split(maxsplit=2)) == 3 and parts[1] == "E"]
        reason = next((line for line in errors if "error loading model" in line), errors[0] if errors else "")
        return reason.rpartition("error loading model: ")[2].strip()


async def _pass_on(output: asyncio.StreamReader) -> None:
    """The engine's lines to our own standard error, whole ones, so that no other line ends up inside them."""
    rest = b""
    while piece := await output.read(MAX_LINE_BYTES):
        lines, end, rest = (rest + piece).rpartition(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            lines, rest = lines + end + rest, b""
        if lines:
            write_error(lines + end)
    if rest:
        write_error(rest + b"\n")


def _ending(status: int) -> str:
    if status is not None and status < 0:
        return signal.Signals(-status).name
    return f"status {status}"
