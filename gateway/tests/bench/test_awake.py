"""The processes that keep cores awake give way to everybody else, and are gone afterwards."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from bench.awake import awake


def circling() -> list[int]:
    """The children of this process that turn in circles."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                parent = (each / "stat").read_text().rpartition(")")[2].split()[1]
                if int(parent) == os.getpid() and b"SCHED_IDLE" in (each / "cmdline").read_bytes():
                    found.append(int(each.name))
            except OSError:
                continue
    return found


def test_one_process_a_core_of_the_idle_class_and_none_is_left() -> None:
    with awake():
        processes = circling()
        assert len(processes) == len(os.sched_getaffinity(0))
        while any(os.sched_getscheduler(pid) != os.SCHED_IDLE for pid in processes):
            subprocess.run(["sleep", "0.02"], check=True)
    assert not circling()
