"""`python -m hayate.engines.keeper`: keeps one engine for one gateway, and lets nothing of it outlive that gateway.

Standard input is a pipe that only the gateway holds: one line of JSON says what to run, and its end, however that came about, is
the end of the engine: (1) a signal to all of its processes, (2) `stop_s` to end by themselves, (3) SIGKILL. All of its processes:
the group that it is started in, and on Linux every process that left that group, because their next living ancestor is this one
(a subreaper). The same happens to what an engine that ended by itself leaves behind. Standard output are lines of JSON for the
gateway: that it has started, or why not, and how it ended.

It runs beside every engine: the standard library only, few modules of it, and one thread.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import NoReturn, cast

from hayate.engines.output import RotatingLog, Shown, Tail, write_all
from hayate.engines.proc import descendants, is_there, memory_group, oom_kills

LEFTOVER_S = 5.0
"""What an engine that ended by itself left behind may take to end, at most."""
KILLED_S = 60.0
"""A process that was killed and is still there by then hangs in the kernel: nobody can do more. Much memory takes time to go."""
AGAIN_S = 0.05
PIECE_BYTES = 64 * 1024
SUBREAPER, DIE_WITH_PARENT = 36, 1
"""prctl's PR_SET_CHILD_SUBREAPER and PR_SET_PDEATHSIG."""
OOM_SCORE = b"500"
"""When memory runs out, the kernel should take the engine, which is started again, and not the gateway."""
RESTORED = ("SIGPIPE", "SIGXFSZ", "SIGINT", "SIGTERM", "SIGHUP", "SIGCHLD")


class Keeper:
    """One engine, from its start until nothing is left of it."""

    def __init__(self, told: Mapping[str, object]) -> None:
        self._command = cast(list[str], told["command"])
        self._env = cast(Mapping[str, str], told["env"])
        self._stdin = cast(str | None, told.get("stdin"))
        self._stop = signal.Signals[cast(str, told["stop"])]
        self._stop_s = cast(float, told["stop_s"])
        self._tail = Tail()
        log = cast(str | None, told.get("log"))
        self._log = (
            RotatingLog(log, cast(int, told["log_bytes"]), cast(int, told["log_files"])) if log is not None else Shown()
        )
        self._pid = 0
        self._status: int | None = None
        self._childless = False
        self._asked = False
        """Whether the gateway, or a signal, has ended it."""
        self._killed = False
        self._hopeless = float("inf")
        """When those that were killed and are still there are given up."""
        self._deadline: float | None = None
        """Of the end; None while the engine is to run."""
        self._output = -1
        self._wakes = os.pipe()
        for fd in self._wakes:
            os.set_blocking(fd, False)
        self._group = memory_group(os.getpid())
        self._kills = oom_kills(self._group)

    def run(self) -> None:
        """Starts the engine and returns when nothing is left of it."""
        self._listen()
        if not self._start():
            return
        while not self._over():
            self._wait()
            self._reap()
            if self._status is not None and self._deadline is None:
                self._end(min(self._stop_s, LEFTOVER_S))
        self._drain()
        self._note(f"ended: {_words(self._status)}")
        self._log.close()
        left = descendants() if sys.platform == "linux" else []
        kills, before = oom_kills(self._group), self._kills
        _tell(
            status=self._status,
            asked=self._asked,
            killed=self._killed,
            oom_kills=None if kills is None or before is None else kills - before,
            left=left,
            tail=self._tail.text(),
        )

    def _listen(self) -> None:
        """SIGTERM means the end; Ctrl-C and a terminal that closes are the gateway's to act upon."""
        signal.set_wakeup_fd(self._wakes[1], warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _nothing)
        signal.signal(signal.SIGTERM, lambda *_: self._ask())
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        _prctl(SUBREAPER, 1)

    def _start(self) -> bool:
        """Whether it runs. What its program could not be started for comes over a pipe that a successful start closes."""
        self._output, output = os.pipe()  # no end of these is inherited: Python opens everything so
        failed, failing = os.pipe()
        given, giving = os.pipe() if self._stdin is not None else (os.open(os.devnull, os.O_RDONLY), -1)
        self._note(f"starting {self._command[0]}, {time.strftime('%Y-%m-%d %H:%M:%S')}")
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            self._become(given, output, failing, parent)
        for fd in (given, output, failing):
            os.close(fd)
        if self._stdin is not None:
            with suppress(OSError):  # it has ended already
                os.write(giving, self._stdin.encode())  # and kept open: its end tells the engine that we are gone
        number = os.read(failed, 64)
        os.close(failed)
        if number:
            os.waitpid(self._pid, 0)
            self._note(f"could not be started: {os.strerror(int(number))}")
            _tell(errno=int(number), there=is_there(self._command[0], self._env))
            return False
        _tell(pid=self._pid)
        return True

    def _become(self, given: int, output: int, failing: int, parent: int) -> NoReturn:
        """In the child: a session of its own, so that no terminal's signal reaches it, then the engine's program."""
        try:
            os.setsid()
            _prctl(DIE_WITH_PARENT, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            with suppress(OSError):
                score = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
                os.write(score, OOM_SCORE)
            signal.set_wakeup_fd(-1)
            for name in RESTORED:
                signal.signal(getattr(signal, name), signal.SIG_DFL)
            os.dup2(given, 0)
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.execvpe(self._command[0], self._command, self._env)  # noqa: S606  that is what it is for
        except OSError as error:
            os.write(failing, str(error.errno or errno.EINVAL).encode())
        except ValueError:  # a NUL in an argument
            os.write(failing, str(errno.EINVAL).encode())
        os._exit(127)

    def _wait(self) -> None:
        """Until something happens: output, the end of the gateway, of a process, or of the time that the engine has to end."""
        left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
        fds = [self._wakes[0]] + [0] * (not self._asked) + [self._output] * (self._output >= 0)
        ready, _, _ = select.select(fds, [], [], left)
        if self._wakes[0] in ready:
            with suppress(BlockingIOError):
                os.read(self._wakes[0], 4096)
        if self._output in ready:
            self._copy()
        if 0 in ready and not self._heard():
            self._ask()
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._kill()

    def _copy(self) -> bool:
        """One piece of the output to where it is kept. False at its end."""
        try:
            data = os.read(self._output, PIECE_BYTES)
        except OSError:
            data = b""
        if not data:
            os.close(self._output)
            self._output = -1
            return False
        if self._tail.is_empty and (group := memory_group(self._pid)) != self._group:
            self._group, self._kills = group, oom_kills(group)  # it has gone into another by the time that it speaks
        self._tail.feed(data)
        self._log.write(data)
        return True

    def _note(self, text: str) -> None:
        """A line of our own among the engine's."""
        self._log.write(f"{'' if self._tail.is_whole else chr(10)}[{text}]\n".encode(errors="replace"))

    def _drain(self) -> None:
        """What is still in the pipe. Its end may not come: a process that could not be killed holds it."""
        while self._output >= 0 and select.select([self._output], [], [], 0)[0] and self._copy():
            pass

    def _heard(self) -> bool:
        """Whether the gateway still holds the pipe; what it says after the first line is nothing to us."""
        try:
            return bool(os.read(0, 4096))
        except OSError:
            return False

    def _ask(self) -> None:
        if not self._asked:
            self._asked = True
            if not self._killed:  # what an engine that ended by itself left behind may be on its way out already
                self._end(self._stop_s)

    def _end(self, within_s: float) -> None:
        self._deadline = time.monotonic() + within_s
        self._signal(self._stop)

    def _kill(self) -> None:
        """SIGKILL, again and again: a process may start others until it dies."""
        if not self._killed:
            self._killed = True
            self._hopeless = time.monotonic() + KILLED_S
        self._signal(signal.SIGKILL)
        self._deadline = time.monotonic() + AGAIN_S

    def _signal(self, number: signal.Signals) -> None:
        """To the whole group, and to all of our descendants that are not in it."""
        with suppress(OSError):
            os.killpg(self._pid, number)
        for pid in descendants():
            with suppress(OSError):
                if os.getpgid(pid) != self._pid:
                    os.kill(pid, number)

    def _reap(self) -> None:
        """Collects those of our children that have ended."""
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid == self._pid:
                    self._status = os.waitstatus_to_exitcode(status)
        except ChildProcessError:
            self._childless = True

    def _over(self) -> bool:
        """Whether nothing is left, or nothing that anybody could end."""
        gone = self._childless and (sys.platform == "linux" or not self._group_lives())
        return gone or time.monotonic() > self._hopeless

    def _group_lives(self) -> bool:
        try:
            os.killpg(self._pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            pass  # it is there, and somebody else's
        return True


def _tell(**what: object) -> None:
    write_all(1, json.dumps(what).encode() + b"\n")


def _nothing(*_: object) -> None:
    """The wakeup descriptor has been written to: that is all this signal is for."""


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _words(status: int | None) -> str:
    if status is None:
        return "it could not be ended"
    with suppress(ValueError):
        if status < 0:
            return signal.Signals(-status).name
    return f"status {status}"


def main() -> None:
    """Reads what to run, and keeps it. Without a gateway there is nothing to do."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, PIECE_BYTES)
        if not piece:
            return
        line += piece
    Keeper(json.loads(line)).run()


if __name__ == "__main__":
    main()
