"""`hayate chat` as it is used: at a terminal of our own, and in a pipe."""

from __future__ import annotations

import asyncio
import fcntl
import os
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.gateway import INHERITED
from tests.support.terminals import Terminal, terminal
from tests.support.waiting import eventually

COMMAND = (sys.executable, "-W", "error", "-c", "from hayate.cli import main; main()", "chat")
PROMPTS = (">>> ", "... ")
PATIENCE_S = 30.0


def around(folder: Path, language: str = "en", **more: str) -> dict[str, str]:
    """What the command finds."""
    kept = {name: os.environ[name] for name in (*INHERITED, "PYTHONPATH") if name in os.environ}
    plain = {"LANG": "C.UTF-8", "XDG_RUNTIME_DIR": str(folder), "HAYATE_LANG": language, "NO_COLOR": "1"}
    return {**kept, **plain, **more}


@dataclass(frozen=True)
class Piped:
    """How it ended, and what it wrote."""

    status: int
    out: str
    err: str


async def piped(said: bytes, words: tuple[str, ...], env: Mapping[str, str], folder: Path) -> Piped:
    """`said` into it, and what comes."""
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, *words),
        env=env,
        cwd=folder,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(said)
    return Piped(process.returncode or 0, out.decode(), err.decode())


@dataclass
class Chat:
    """A person's side of it."""

    screen: Terminal
    process: subprocess.Popen[bytes]

    async def prompted(self) -> None:
        """The command waits for a message."""
        await eventually(lambda: self.screen.raw().endswith(PROMPTS) or self._ended(), PATIENCE_S)

    async def says(self, text: str) -> str:
        """Types a line, and gives what is on the screen of its answer once the next may be typed."""
        await self.prompted()
        before = len(self.screen.raw())
        self.screen.type(text + "\r")
        await eventually(lambda: len(self.screen.raw()) > before + len(text) or self._ended(), PATIENCE_S)
        await self.prompted()
        return self.screen.raw()[before:]

    async def shows(self, text: str) -> None:
        await eventually(lambda: text in self.screen.raw() or self._ended(), PATIENCE_S)
        assert text in self.screen.raw()

    async def ended(self) -> int:
        """Its status, once it has ended."""
        await eventually(self._ended, PATIENCE_S)
        return self.process.returncode

    def _ended(self) -> bool:
        return self.process.poll() is not None


@asynccontextmanager
async def chat(words: tuple[str, ...], env: Mapping[str, str], folder: Path) -> AsyncIterator[Chat]:
    """At a terminal of 80 columns, until the block ends."""
    with terminal() as screen:
        process = subprocess.Popen(
            [*COMMAND, *words],
            env={**env, "TERM": "xterm-256color"},
            cwd=folder,
            stdin=screen.fd,
            stdout=screen.fd,
            stderr=screen.fd,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  so that Ctrl-C is a signal to it
        )
        try:
            yield Chat(screen, process)
        finally:
            process.kill()
            process.wait()
        assert "Traceback" not in screen.raw()
