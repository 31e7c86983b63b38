"""What the system tells of processes, for a keeper: who is below it, whom the kernel has killed, whether a program is there.

As what runs it: the standard library only, and little of that (`engines.keeper`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress


def is_there(command: str, env: Mapping[str, str]) -> bool:
    """Whether a file of this name was found at all: a script whose interpreter is missing fails as one that is missing."""
    if "/" in command:
        return os.path.exists(command)
    return any(os.path.exists(f"{folder}/{command}") for folder in env.get("PATH", os.defpath).split(":"))


def descendants() -> list[int]:
    """The processes below this one that have not ended, from /proc; none where there is no /proc."""
    parents: dict[int, int] = {}
    try:
        for name in os.listdir("/proc"):
            if name.isdecimal():
                with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                    state, parent = file.read().rpartition(b")")[2].split()[:2]
                    if state not in (b"Z", b"X"):
                        parents[int(name)] = int(parent)
    except OSError:
        return []
    below, found = {os.getpid()}, [0]
    while found:
        found = [pid for pid, parent in parents.items() if parent in below and pid not in below]
        below.update(found)
    return sorted(below - {os.getpid()})


def memory_group(pid: int, root: str = "") -> str | None:
    """The file in which the kernel counts whom it kills of this process's control group for want of memory; None where there is
    none.
    """
    try:
        with open(f"{root}/proc/{pid}/cgroup", encoding="utf-8") as file:
            groups = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return None
    for _, controllers, group in groups:
        if controllers in ("", "memory"):
            folder, name = ("", "memory.events") if not controllers else ("/memory", "memory.oom_control")
            for path in (
                f"{folder}{group.rstrip('/')}/{name}",
                f"{folder}/{name}",
            ):  # a container sees its own as the root
                if oom_kills(counts := f"{root}/sys/fs/cgroup{path}") is not None:
                    return counts
    return None


def oom_kills(group: str | None) -> int | None:
    """How many it counts there so far."""
    with suppress(OSError, ValueError, TypeError), open(group, encoding="ascii") as file:  # type: ignore[arg-type]
        for line in file:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return None
