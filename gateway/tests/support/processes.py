"""Looking at processes from outside: who is whose child, and who is still there. From /proc, so Linux only."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits to be collected does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


def children(pid: int) -> list[int]:
    """The running children of a process; none of one that is gone."""
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(each) for each in (task / "children").read_text(encoding="ascii").split()]
    return [each for each in found if alive(each)]


def engines_of(pid: int) -> list[int]:
    """The engines that a gateway runs: the children of its children, which are their keepers."""
    return [engine for keeper in children(pid) for engine in children(keeper)]


def below(pid: int) -> list[int]:
    """All running processes that are a process's children, or theirs."""
    found = children(pid)
    return found + [each for child in found for each in below(child)]


def cpu_s(pid: int) -> float:
    """The processor time a process has used so far: what it costs, however long others keep it waiting."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
