"""Keeps the cores from sleeping while something is measured.

A core that has nothing to do sleeps, and in a virtual machine waking it is the hypervisor's work: tens of microseconds per wake,
charged to whoever is woken, and longer the more often a contender sleeps. That is a property of the machine and hides what is
compared. Linux takes the wish for a wake-up latency of zero through /dev/cpu_dma_latency (its PM QoS interface) for as long as
the file is open; idle cores then wait in a loop instead. It needs root.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DEVICE = Path("/dev/cpu_dma_latency")


@contextmanager
def awake(device: Path = DEVICE) -> Iterator[bool]:
    """No core sleeps within, if this machine can be asked for it: the value says."""
    try:
        wish = os.open(device, os.O_WRONLY)
    except OSError:
        yield False
        return
    try:
        os.write(wish, struct.pack("i", 0))  # microseconds
        yield True
    finally:
        os.close(wish)
