"""`hayate chat` as it is used: at a terminal of our own, and in a pipe."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.gateway import INHERITED
from tests.support.nursery import Born, born, run
from tests.support.terminals import Terminal, terminal
from tests.support.waiting import eventually

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
    done = await asyncio.to_thread(run, ["chat", *words], env, folder, said=said)
    return Piped(done.returncode, done.stdout, done.stderr)


@dataclass
class Chat:
    """A person's side of it."""

    screen: Terminal
    process: Born

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
        return await self.process.wait()

    def _ended(self) -> bool:
        return self.process.returncode is not None


@asynccontextmanager
async def chat(words: tuple[str, ...], env: Mapping[str, str], folder: Path) -> AsyncIterator[Chat]:
    """At a terminal of 80 columns, until the block ends."""
    with terminal() as screen:
        around = {**env, "TERM": "xterm-256color"}
        process = born(["chat", *words], around, folder, stdin=screen.fd, stdout=screen.fd, stderr=screen.fd)
        try:
            yield Chat(screen, process)
        finally:
            process.kill()
            await process.wait()
        assert "Traceback" not in screen.raw()
