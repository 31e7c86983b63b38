"""What this machine has to give: processor cores and free memory, a container's limits included.

Rule: where the system does not say (no /proc, an odd mount), the answer is "unknown", never a guess that refuses to
start. `root` is the file system's root, so that a test can stand one up in a folder.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

ROOT = Path("/")
UNLIMITED_BYTES = 1 << 60
"""cgroup v1 writes a huge number for "no limit"."""


def threads(root: Path = ROOT) -> int:
    """How many threads to compute with: one per physical core we may use, no more than a container's quota."""
    usable = _usable_cpus()
    siblings = (
        _text(root / f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list") or str(cpu) for cpu in usable
    )
    cores = len(set(siblings))
    quotas = [quota for quota in map(_cpu_quota, _cgroups(root, "cpu")) if quota is not None]
    return max(1, min([cores, *quotas]))


def available_memory_bytes(root: Path = ROOT) -> int | None:
    """What can be had without swapping; None when the system does not say."""
    found = [_meminfo_bytes(root), *(_cgroup_left_bytes(folder) for folder in _cgroups(root, "memory"))]
    return min((each for each in found if each is not None), default=None)


def _usable_cpus() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _meminfo_bytes(root: Path) -> int | None:
    for line in (_text(root / "proc/meminfo") or "").splitlines():
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return int(rest.split()[0]) * 1024
    return None


def _cgroups(root: Path, controller: str) -> list[Path]:
    """The control groups this process is in, from its own up to the root: a limit may stand at any of them."""
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        _, names, path = line.split(":", 2)
        if names == "":
            mount = root / "sys/fs/cgroup"
        elif controller in names.split(","):
            mount = root / "sys/fs/cgroup" / controller
        else:
            continue
        own = mount / path.lstrip("/")
        return [folder for folder in (own, *own.parents) if folder.is_relative_to(mount)]
    return []


def _cgroup_left_bytes(folder: Path) -> int | None:
    """What the group's memory limit leaves. Pages of files count as used but can be dropped."""
    limit = _number(folder / "memory.max", folder / "memory.limit_in_bytes")
    used = _number(folder / "memory.current", folder / "memory.usage_in_bytes")
    if limit is None or used is None or limit >= UNLIMITED_BYTES:
        return None
    droppable = 0
    for line in (_text(folder / "memory.stat") or "").splitlines():
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file"):
            droppable = int(value)
    return max(0, limit - used + droppable)


def _cpu_quota(folder: Path) -> int | None:
    """The group's processor quota in whole processors, rounded up."""
    words = (_text(folder / "cpu.max") or "").split()
    if len(words) == 2 and words[0].isdecimal():
        return math.ceil(int(words[0]) / int(words[1]))
    quota, period = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    return math.ceil(quota / period) if quota and period else None


def _number(*paths: Path) -> int | None:
    """The number in the first of the files that holds one."""
    texts = (_text(path) or "" for path in paths)
    return next((int(text) for text in texts if text.isdecimal()), None)


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
