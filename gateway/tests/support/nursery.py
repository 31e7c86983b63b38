"""Where processes of `hayate` are born quickly: one process has everything imported and forks a child for each command, which then
is what the command would be: its own environment, folder, rights, limits and standard streams, and `hayate.cli.main()`. Importing
it all takes most of a second of processor time; a fork takes some hundredths.

    process = born(["serve"], env={...}, folder=tmp_path, stdout=file, stderr=file)
    await process.wait()
    done = run(["key"], env={...}, folder=tmp_path)     # as subprocess.run() would

The child is a child of the process that asked: the one in between ends at once, and who asked takes the orphan in.
As a program (`python -m tests.support.nursery FD`) it reads a message for each child and answers with its number.
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import fcntl
import functools
import gc
import io
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

CAPABILITIES_VERSION_3 = 0x20080522
PR_SET_CHILD_SUBREAPER = 36
LAST_RESORT_S = 120.0
MESSAGE_BYTES = 150_000
HAYATE = str(Path(sys.executable).with_name("hayate"))
BEFORE_IMPORTS = ("PYTHON", "COVERAGE_")
"""Variables that Python itself reads as it starts: a fork comes too late for them."""


def must_be_started(env: Mapping[str, str]) -> bool:
    """Whether this environment needs an interpreter of its own."""
    return any(name.startswith(BEFORE_IMPORTS) and os.environ.get(name) != value for name, value in env.items())


@dataclass(slots=True)
class Born:
    """A child, with what is used here of `asyncio.subprocess.Process`."""

    pid: int
    _ended: list[int] = field(default_factory=list)

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        if not self._ended:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._ended.append(os.waitstatus_to_exitcode(status))
        return self._ended[0] if self._ended else None

    async def wait(self) -> int:
        """Waits for its end."""
        while (status := self.returncode) is None:
            await asyncio.sleep(0.01)
        return status

    def wait_here(self) -> int:
        """Waits for its end, and nothing else goes on meanwhile."""
        deadline = time.monotonic() + LAST_RESORT_S
        while (status := self.returncode) is None:
            if time.monotonic() > deadline:
                self.kill()
            time.sleep(0.005)
        return status

    def send_signal(self, number: int) -> None:
        """Nothing, where it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """At once."""
        self.send_signal(signal.SIGKILL)


class _Nursery:
    """The process with everything imported, for as long as this one runs."""

    def __init__(self) -> None:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        atexit.register(self._ours.close)
        self._one_at_a_time = threading.Lock()
        with theirs:
            subprocess.Popen(
                [sys.executable, "-m", "tests.support.nursery", str(theirs.fileno())],
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            ).returncode = 0  # it ends with this process, as its socket does; nobody need wait for it

    def ask(self, request: Mapping[str, Any], streams: Sequence[int]) -> Born:
        """The child that is asked for, with these standard streams."""
        with self._one_at_a_time:
            socket.send_fds(self._ours, [json.dumps(request).encode()], streams)
            return Born(int(self._ours.recv(100)))


_nursery = functools.cache(_Nursery)


def born(
    words: Sequence[str],
    env: Mapping[str, str],
    folder: Path,
    *,
    stdout: int,
    stderr: int,
    stdin: int | None = None,
    plain: bool = False,
    full: bool = False,
    most_bytes: int | None = None,
) -> Born:
    """`hayate` with these words. `stdin`: in place of nothing; a terminal there is its own, so that Ctrl-C is a signal. `plain`:
    without root's rights; `full`: where no file can grow, `most_bytes`: where none can grow longer.
    """
    most_bytes = 0 if full else most_bytes
    request = {"words": list(words), "env": dict(env), "folder": str(folder), "plain": plain, "most_bytes": most_bytes}
    return _nursery().ask(request, (stdout, stderr) if stdin is None else (stdout, stderr, stdin))


def run(
    words: Sequence[str],
    env: Mapping[str, str],
    folder: Path,
    *,
    said: bytes = b"",
    plain: bool = False,
    most_bytes: int | None = None,
) -> subprocess.CompletedProcess[str]:
    """`hayate` with these words, once it has ended, as for `born`; `said` is on its standard input."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as given:
        given.write(said)
        given.seek(0)
        out_fd, err_fd, in_fd = (file.fileno() for file in (out, err, given))
        limits: dict[str, Any] = {"plain": plain, "most_bytes": most_bytes}
        status = born(words, env, folder, stdout=out_fd, stderr=err_fd, stdin=in_fd, **limits).wait_here()
        wrote = []
        for file in (out, err):
            file.seek(0)
            wrote.append(file.read().decode("utf-8"))
    return subprocess.CompletedProcess([HAYATE, *words], status, *wrote)


def _main() -> None:
    """Forks a child for each message that asks for one."""
    _learn()
    sys.path.remove(str(Path.cwd()))
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as asks:
        while True:
            message, streams, _, _ = socket.recv_fds(asks, MESSAGE_BYTES, 3)
            if not message:
                return
            reader, writer = os.pipe()
            between = os.fork()
            if between == 0:
                child = os.fork()
                if child != 0:
                    os.write(writer, str(child).encode())
                    os._exit(0)
                asks.detach()
                _become(json.loads(message), streams)
                from hayate.cli import main

                _live(main)
            os.waitpid(between, 0)  # from now on the child is that of who asked
            asks.send(os.read(reader, 100))
            for fd in (reader, writer, *streams):
                os.close(fd)


def _learn() -> None:
    """What a command would do by itself, so that it need not: what it imports, the tree of commands, and what SQLAlchemy keeps of
    a database that it has made. Nothing of the Hub's library: that reads the environment then.
    """
    import typer.main

    import hayate.cli
    import hayate.serve.server
    import hayate.tools.embedded.up
    from hayate.store.migrate import open_file

    tree = typer.main.get_command(hayate.cli.app)
    typer.main.get_command = lambda typer_instance: tree
    with tempfile.TemporaryDirectory() as folder:
        open_file(Path(folder) / "hayate.db")[0].dispose()


def _live(main: Callable[[], None]) -> NoReturn:
    """The command, and the end that the interpreter would give it, but for taking apart all that was imported: that is most of a
    short command's time, and its memory goes with the process anyway.
    """
    status = 0
    try:
        main()
    except SystemExit as asked:
        if not isinstance(asked.code, int | None):
            raise
        status = asked.code or 0
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # the interpreter has its own way of saying so
        sys.exit(status)
    os._exit(status)


def _become(request: dict[str, Any], streams: Sequence[int]) -> None:
    """What `exec` and a shell would have made of this process."""
    for fd, stream in zip(streams, (1, 2, 0), strict=False):
        os.dup2(fd, stream)
    if len(streams) == 3:
        opened = io.TextIOWrapper(open(0, "rb", closefd=False), "utf-8", sys.stdin.errors)  # noqa: SIM115  it stays
        sys.stdin = sys.__stdin__ = opened  # type: ignore[misc]
        if os.isatty(0):
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    sys.stdout = sys.__stdout__ = _opened(1, sys.stdout.errors, by_lines=os.isatty(1))  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _opened(2, sys.stderr.errors, by_lines=True)  # type: ignore[misc]
    os.closerange(3, 1024)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # ignored where a shell has started the tests in the background
    sys.modules["__main__"].__package__ = None  # or Click would call the command `python -m tests.support.nursery`
    sys.argv = [HAYATE, *request["words"]]
    if (most := request["most_bytes"]) is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    if request["plain"] and os.getuid() == 0:
        _give_up_roots_rights()


def _opened(fd: int, errors: str | None, *, by_lines: bool) -> io.TextIOWrapper:
    """A standard stream as the interpreter would have opened it on what it is now: a terminal has its lines at once."""
    return io.TextIOWrapper(open(fd, "wb", closefd=False), "utf-8", errors, line_buffering=by_lines)


def _give_up_roots_rights() -> None:
    """All of its capabilities: what a file's mode forbids its owner is then forbidden, as to anybody else."""
    header, data = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    if ctypes.CDLL(None, use_errno=True).capset(header, data) != 0:
        raise OSError(ctypes.get_errno(), "capset")


if __name__ == "__main__":
    _main()
