"""Where processes of `hayate` are born quickly: one process has everything imported and forks a child for each command, which then
is what the command would be: its own environment, folder, rights, limits and standard streams, and `hayate.cli.main()`.

    with nursery() as born:
        process = born(["serve"], env={...}, folder=tmp_path)
        process.wait()

As a program (`python -m tests.start.nursery`) it reads a line of JSON for each child and answers with a line.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CAPABILITIES_VERSION_3 = 0x20080522
LAST_RESORT_S = 120.0
RUNNING = -1


@dataclass(frozen=True, slots=True)
class Born:
    """A child, and what it says. `ask` asks the nursery about it."""

    pid: int
    pipe: int
    ask: Callable[[Mapping[str, Any]], int]
    _read: bytearray = field(default_factory=bytearray)
    _ended: list[int] = field(default_factory=list)

    def said(self) -> str:
        """On both standard streams so far."""
        with suppress(BlockingIOError):
            while piece := os.read(self.pipe, 65536):
                self._read.extend(piece)
        return self._read.decode()

    def status(self) -> int | None:
        """How it ended; None while it runs."""
        if not self._ended and (status := self.ask({"look": self.pid})) != RUNNING:
            self._ended.append(os.waitstatus_to_exitcode(status))
        return self._ended[0] if self._ended else None

    def until(self, word: str = "") -> int | None:
        """Waits until it has said this, or has ended: its status then."""
        deadline = time.monotonic() + LAST_RESORT_S
        while (status := self.status()) is None and not (word and word in self.said()):
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.02)
        return status

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int | None:
        """Sends the signal, and waits for the end."""
        if self.status() is None:
            os.kill(self.pid, with_signal)
        return self.until()


Nursery = Callable[..., Born]


@contextmanager
def nursery() -> Iterator[Nursery]:
    """The function that makes children."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.start.nursery"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def ask(request: Mapping[str, Any]) -> int:
            requests.write(json.dumps(request) + "\n")
            requests.flush()
            return int(answers.readline())

        def born(
            words: Sequence[str], env: Mapping[str, str], folder: Path, *, plain: bool = False, full: bool = False
        ) -> Born:
            # No file: that could not grow either, where none may.
            pipe = folder / f"said-{time.monotonic_ns()}"
            os.mkfifo(pipe)
            pipes.append(os.open(pipe, os.O_RDWR | os.O_NONBLOCK))
            child = {"words": words, "env": env, "folder": str(folder), "file": str(pipe)}
            return Born(ask({**child, "plain": plain, "full": full}), pipes[-1], ask)

        pipes: list[int] = []
        yield born
        requests.close()
        for pipe in pipes:
            os.close(pipe)


def _main() -> None:
    """Forks a child for each line that asks for one, and says how the others do."""
    # What a command would import by itself, so that it need not. Nothing of the Hub's library: that reads the environment then.
    import hayate.cli
    import hayate.serve.server
    import hayate.tools.embedded.up

    for line in sys.stdin:
        request = json.loads(line)
        if "look" in request:
            pid, status = os.waitpid(request["look"], os.WNOHANG)
            print(status if pid else RUNNING, flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            _become(request)
            hayate.cli.main()
            sys.exit(0)
        print(pid, flush=True)


def _become(request: dict[str, Any]) -> None:
    """What `exec` and a shell would have made of this process."""
    nothing, said = os.open(os.devnull, os.O_RDONLY), os.open(request["file"], os.O_WRONLY)
    for fd, stream in ((nothing, 0), (said, 1), (said, 2)):
        os.dup2(fd, stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv = ["hayate", *request["words"]]
    if request["full"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if request["plain"] and os.getuid() == 0:
        _give_up_roots_rights()


def _give_up_roots_rights() -> None:
    """All of its capabilities: what a file's mode forbids its owner is then forbidden, as to anybody else."""
    header, data = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")


if __name__ == "__main__":
    _main()
