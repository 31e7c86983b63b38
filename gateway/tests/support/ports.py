"""Ports for what listens in a test. None is used twice within a thousand, nor by two of the processes that run the tests:
whoever still asks for what listened there (the gateway of a test that is over, a client that tries again) finds nobody.
"""

from __future__ import annotations

import random
import socket
from collections import deque

RANGES, EACH = 8, 1500
_ours = range(20_000, 20_000 + EACH)
_given: deque[int] = deque(maxlen=1000)


def use_those_of(worker: int) -> None:
    """From now on, the ports of one of the processes that run the tests."""
    global _ours  # noqa: PLW0603  each process has its own, once
    first = 20_000 + EACH * (worker % RANGES)
    _ours = range(first, first + EACH)


def free_port() -> int:
    """A port nobody listens on, below the range that outgoing connections are given; none that this process was given before, or
    that another of the processes that run the tests can be given: it is free until somebody comes to listen there.
    """
    while True:
        port = random.choice(_ours)
        with socket.socket() as candidate:
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            if port not in _given:
                _given.append(port)
                return port
