"""What a process tree has cost: its CPU time, its memory, and its start and stop. Linux only: it is read from /proc.

The rule: a tree is the process that was started and all its descendants, threads and already reaped children included.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
CPUCLOCK_SCHED = 2


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state (field 3) on; the name before them may hold spaces and brackets."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def tree(root: int) -> list[int]:
    """`root` and its descendants that are alive."""
    children: dict[int, list[int]] = {}
    for pid in (int(entry.name) for entry in os.scandir(PROC) if entry.name.isdigit()):
        with contextlib.suppress(OSError, IndexError):
            children.setdefault(int(_stat(pid)[1]), []).append(pid)
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += children.get(pid, [])
    return found


def process_cpu_s(pid: int) -> float:
    """User and system time of one process, all its threads, and the children it has waited for.

    The kernel's clock of the process counts what /proc/PID/stat counts (utime + stime), in nanoseconds.
    """
    fields = _stat(pid)
    reaped = (int(fields[13]) + int(fields[14])) / TICKS_PER_S
    try:
        return time.clock_gettime((~pid << 3) | CPUCLOCK_SCHED) + reaped
    except OSError:
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S + reaped


def tree_cpu_s(root: int) -> float:
    """User and system time of a whole tree."""
    total = 0.0
    for pid in tree(root):
        with contextlib.suppress(OSError):
            total += process_cpu_s(pid)
    return total


def _rss_bytes(pid: int, *, roughly: bool) -> int:
    for name, key in (("smaps_rollup", "Rss:"), ("status", "VmRSS:"))[roughly:]:
        with contextlib.suppress(OSError):
            for line in (PROC / str(pid) / name).read_text().splitlines():
                if line.startswith(key):
                    return int(line.split()[1]) * 1024
    return 0


def tree_rss_bytes(root: int, *, roughly: bool = False) -> int:
    """Resident memory of a whole tree; pages shared between its processes count in each, as in `ps`.

    `roughly`: to some hundred KB, without the kernel walking through the pages, which would hold up whoever is measured.
    """
    return sum(_rss_bytes(pid, roughly=roughly) for pid in tree(root))


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Started:
    """A process tree of ours: it writes to files of its own and is gone after `stop`."""

    def __init__(self, argv: Sequence[str], *, home: Path, env: Mapping[str, str] | None = None) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.stdout, self.stderr = home / "stdout", home / "stderr"
        self.began = time.perf_counter()
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            self._child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=home,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        self.pid = self._child.pid

    @property
    def exited(self) -> bool:
        """The process that was started has ended by itself."""
        return self._child.poll() is not None

    def last_words(self) -> str:
        """The end of what it wrote: why it did not start."""
        text = self.stderr.read_text(errors="replace") + self.stdout.read_text(errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " / ".join(lines[-3:])[-300:] or "it wrote nothing"

    def stop(self, grace_s: float = 8.0) -> None:
        """SIGTERM to the process that was started, then SIGKILL to what is left of its group."""
        if not self.exited:
            self._child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(grace_s)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._child.wait()
