"""Cores and memory, on machines stood up in a folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hayate.tools.embedded.machine import available_memory_bytes, threads

GIB = 2**30


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def meminfo(gib: int) -> dict[str, str]:
    return {"proc/meminfo": f"MemTotal:       99999999 kB\nMemAvailable:   {gib * 2**20} kB\n"}


def test_memory_is_what_meminfo_says_is_available(tmp_path: Path) -> None:
    assert available_memory_bytes(write(tmp_path, meminfo(3))) == 3 * GIB


def test_a_container_limit_counts_and_its_file_pages_can_be_dropped(tmp_path: Path) -> None:
    write(tmp_path, meminfo(8) | {"proc/self/cgroup": "0::/\n"})
    group = {
        "memory.max": str(2 * GIB),
        "memory.current": str(GIB),
        "memory.stat": f"anon 5\ninactive_file {GIB // 2}\n",
    }
    write(tmp_path / "sys/fs/cgroup", group)
    assert available_memory_bytes(tmp_path) == GIB * 3 // 2


def test_a_limit_of_an_outer_group_counts(tmp_path: Path) -> None:
    write(tmp_path, meminfo(8) | {"proc/self/cgroup": "0::/box/inner\n"})
    write(tmp_path / "sys/fs/cgroup", {"box/inner/memory.max": "max", "box/inner/memory.current": "1"})
    write(tmp_path / "sys/fs/cgroup", {"box/memory.max": str(GIB), "box/memory.current": "0"})
    assert available_memory_bytes(tmp_path) == GIB


def test_the_older_control_groups_are_understood(tmp_path: Path) -> None:
    write(tmp_path, meminfo(8) | {"proc/self/cgroup": "4:memory:/box\n2:cpu,cpuacct:/box\n"})
    group = {"memory.limit_in_bytes": str(4 * GIB), "memory.usage_in_bytes": str(GIB)}
    write(tmp_path / "sys/fs/cgroup/memory/box", group)
    assert available_memory_bytes(tmp_path) == 3 * GIB


def test_a_huge_limit_is_none(tmp_path: Path) -> None:
    write(tmp_path, meminfo(8) | {"proc/self/cgroup": "4:memory:/\n"})
    group = {"memory.limit_in_bytes": "9223372036854771712", "memory.usage_in_bytes": "1"}
    write(tmp_path / "sys/fs/cgroup/memory", group)
    assert available_memory_bytes(tmp_path) == 8 * GIB


def test_a_system_that_does_not_say_is_unknown(tmp_path: Path) -> None:
    assert available_memory_bytes(tmp_path) is None


def test_threads_are_one_a_core_when_siblings_share_one(tmp_path: Path) -> None:
    usable = sorted(os.sched_getaffinity(0))
    files = {f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list": "0-63\n" for cpu in usable}
    assert threads(write(tmp_path, files)) == 1


def test_threads_are_one_a_processor_when_nothing_is_known_of_cores(tmp_path: Path) -> None:
    assert threads(tmp_path) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(("quota", "at_most"), [("50000 100000", 1), ("100000 100000", 1), ("max 100000", 1024)])
def test_a_container_quota_limits_the_threads(tmp_path: Path, quota: str, at_most: int) -> None:
    write(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": quota})
    assert 1 <= threads(tmp_path) <= at_most


def test_this_machine_has_some_of_both() -> None:
    memory = available_memory_bytes()
    assert threads() >= 1
    assert memory is None or memory > 0
