"""A gateway that tells on request what only a collector would free: objects that hold each other in a circle.

    async with running_gateway(config=..., through=KEEPING_CIRCLES) as gateway:
        await circles(gateway)                # forgets what is there already
        ...
        assert not await circles(gateway)     # how many, by type; functions and frames by their names

As a program it is what `hayate` is, but what its collector finds is kept; at SIGUSR2 everything is collected, and written down.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import CoroutineType, FrameType, FunctionType

from tests.support.gateway import RunningGateway
from tests.support.waiting import eventually

_PROGRAM = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); from tests.support.garbage import main; main()"
KEEPING_CIRCLES = (sys.executable, "-c", _PROGRAM)
OURS = ("hayate.", "uvicorn.", "uvloop.", "httptools.", "asyncio.", "_asyncio.", "starlette.", "fastapi.")
"""What belongs to a connection or a call. What a library leaves of its own work is for the collector."""
_FILE = "circles.json"


async def circles(gateway: RunningGateway) -> dict[str, int]:
    """What has been left in circles since this was asked last, of what is ours."""
    file = gateway.data.parent / _FILE
    file.unlink(missing_ok=True)
    os.kill(gateway.pid, signal.SIGUSR2)
    await eventually(file.exists)
    found: dict[str, int] = json.loads(file.read_text(encoding="utf-8"))["circles"]
    return {name: count for name, count in found.items() if name.startswith(OURS)}


def tasks(gateway: RunningGateway) -> int:
    """How many of the event loop's tasks there were when `circles` was asked last."""
    return int(json.loads((gateway.data.parent / _FILE).read_text(encoding="utf-8"))["tasks"])


def sockets(gateway: RunningGateway) -> int:
    """How many sockets the gateway has open: a connection that is over has none."""
    found = 0
    for each in Path(f"/proc/{gateway.pid}/fd").iterdir():
        try:
            found += str(each.readlink()).startswith("socket:")
        except FileNotFoundError:  # closed meanwhile
            continue
    return found


def main() -> None:
    """`hayate`, with the arguments after its own name."""
    from hayate import cli

    gc.set_debug(gc.DEBUG_SAVEALL)  # whatever is collected meanwhile is kept too
    signal.signal(signal.SIGUSR2, lambda *_: _write_down())
    sys.argv = sys.argv[1:]
    cli.main()


def _write_down() -> None:
    gc.collect()
    found = Counter(map(_name, gc.garbage))
    gc.set_debug(0)
    gc.garbage.clear()
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    part = Path(f"{_FILE}.part")
    told = {"circles": found, "tasks": len(asyncio.all_tasks())}  # the loop's thread is where signals are heeded
    part.write_text(json.dumps(told), encoding="utf-8")
    part.rename(_FILE)


def _name(each: object) -> str:
    if isinstance(each, FunctionType):
        return f"{each.__module__}.{each.__qualname__}()"
    if isinstance(each, FrameType):
        return f"{each.f_globals.get('__name__')}.{each.f_code.co_qualname}() under way"
    if isinstance(each, CoroutineType):
        return f"coroutine {each.__qualname__}"
    return f"{type(each).__module__}.{type(each).__qualname__}"
