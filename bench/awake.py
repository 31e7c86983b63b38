"""Keeps the cores from sleeping while something is measured.

A core that has nothing to do sleeps, and in a virtual machine waking it is the hypervisor's work: tens of microseconds per wake,
charged to whoever is woken, and caches that others have filled meanwhile. That is a property of the machine and hides what is
compared. One process per core, of the kernel's idle class, turns in circles: it runs only when nobody else wants the core.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_CIRCLE = """
import os, sys
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
parent = int(sys.argv[1])
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


@contextmanager
def awake() -> Iterator[None]:
    """No core sleeps within."""
    command = [sys.executable, "-I", "-S", "-c", _CIRCLE, str(os.getpid())]
    circling = [subprocess.Popen(command) for _ in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for each in circling:
            each.kill()
        for each in circling:
            each.wait()
