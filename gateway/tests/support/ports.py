"""Ports for what listens in a test. None is used twice within a thousand, nor by two of the processes that run the tests:
whoever still asks for what listened there (the gateway of a test that is over, a client that tries again) finds nobody.
"""

from __future__ import annotations

import os
import random
import socket
from collections import deque

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
PORTS = range(20_000 + 1500 * _worker, 21_500 + 1500 * _worker)
_given: deque[int] = deque(maxlen=1000)


def free_port() -> int:
    """A port nobody listens on, below the range that outgoing connections are given; none that this process was given before, or
    that another of the processes that run the tests can be given: it is free until somebody comes to listen there.
    """
    while True:
        port = random.choice(PORTS)
        with socket.socket() as candidate:
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
            if port not in _given:
                _given.append(port)
                return port
