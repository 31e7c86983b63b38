"""A gateway in this very process, and which of its files a request passes through, in order.

async with gateway_here(settings(engine.url)) as gateway:
    with traced() as path:
        await fetch(gateway.url, ...)
    path.files        # ['downstream/reading.py', 'downstream/limits.py', ...]: each at its first call
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import hayate
from hayate.config.load import load_config
from hayate.serve.listening import bind
from hayate.serve.server import Notices, serve
from tests.support.waiting import LAST_RESORT_S

SOURCE = Path(hayate.__file__).parent
BACKGROUND = frozenset(
    {"fleet/health_checks.py", "fleet/canary.py", "serve/server.py", "serve/figures.py", "serve/sweeper.py"}
)
"""What watches the engines and keeps the server running, whether there are calls or not."""
TIMERS = frozenset({"Ticker._tick", "Deadlines._look", "Keys.follow"})
ELSEWHERE = frozenset({"call_lines"})
"""What the log's thread does in a gateway whose standard streams are its own."""


@dataclass
class Here:
    """Where the gateway listens, and what belongs to it."""

    url: str
    config_file: Path
    data: Path


@asynccontextmanager
async def gateway_here(config: str, folder: Path) -> AsyncIterator[Here]:
    """Serves in this event loop until the block ends. The keys are made in `folder`."""
    file = folder / "config.yaml"
    file.write_text(config, encoding="utf-8")
    env = {"HAYATE_DATA": str(folder / "data"), "HAYATE_CONFIG": str(file)}
    listener = bind("127.0.0.1", 0)
    port, up = listener.getsockname()[1], asyncio.Event()
    serving = asyncio.create_task(
        serve(
            load_config(env=env),
            sockets=[listener],
            notices=Notices(listening=lambda _: up.set(), stopping=lambda: None),
            load=lambda: load_config(env=env),
        )
    )
    try:
        await asyncio.wait_for(up.wait(), LAST_RESORT_S)
        yield Here(f"http://127.0.0.1:{port}", file, folder / "data")
    finally:
        if not serving.done():
            os.kill(os.getpid(), signal.SIGTERM)  # the gateway's own handler: it drains
        await serving


@dataclass
class Trace:
    """The calls so far: the file and the function of each, in order."""

    calls: list[tuple[str, str]] = field(default_factory=list)

    @property
    def files(self) -> list[str]:
        """Each file once, where it is entered first."""
        return list(dict.fromkeys(file for file, _ in self.calls))

    @property
    def moves(self) -> int:
        """How often one file's code calls, or goes on after, another's."""
        return sum(one[0] != other[0] for one, other in zip(self.calls, self.calls[1:], strict=False))


@contextmanager
def traced() -> Iterator[Trace]:
    """Every call of the gateway's own functions in this thread, a coroutine's each time that it goes on; but nothing of what runs
    in the background, nor what that calls.
    """
    trace, before = Trace(), sys.getprofile()
    root = f"{SOURCE}{os.sep}"
    skipped: list[FrameType] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and skipped and skipped[-1] is frame:
            skipped.pop()
        if event != "call" or skipped or not frame.f_code.co_filename.startswith(root):
            return
        file, function = frame.f_code.co_filename[len(root) :], frame.f_code.co_qualname
        if file in BACKGROUND or function in TIMERS | ELSEWHERE:
            skipped.append(frame)
        else:
            trace.calls.append((file, function))

    sys.setprofile(note)
    try:
        yield trace
    finally:
        sys.setprofile(before)
