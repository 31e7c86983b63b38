"""The ports of the engines that the gateway runs, on 127.0.0.1: one for each name, the same for as long as nobody else takes it.

Below the range that outgoing connections are given: from there, a connection to an engine that ended could meet itself.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Sequence

from hayate.language import BilingualError

HOST = "127.0.0.1"
RANGE = range(20_000, 32_000)
TRIES = 200


class NoPort(BilingualError):
    """None of the ports is free."""

    def __init__(self, port: int | None = None) -> None:
        if port is None:
            super().__init__(f"no port is free on {HOST}", f"{HOST}に空きポートがありません")
        else:
            super().__init__(
                f"port {port} on {HOST} belongs to another program",
                f"{HOST}のポート{port}は別のプログラムに使用されています",
            )


def is_taken(port: int) -> bool:
    """Whether a program listens on it. Asked before an engine is started: some would share it without a word (SO_REUSEPORT)."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a connection that has just ended does not count
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


class Ports:
    """Which engine has which port. `choose` is chance, unless a test says otherwise."""

    def __init__(self, choose: Callable[[Sequence[int]], int] = secrets.choice) -> None:
        self._choose = choose
        self._given: dict[str, int] = {}
        self._keys: dict[str, str] = {}

    def of(self, name: str) -> int:
        """The port of this engine, a free one when it is asked for the first time. Raises NoPort."""
        if name not in self._given:
            self._given[name] = self._free()
        return self._given[name]

    def another(self, name: str) -> int:
        """Another one, from now on: somebody else has the one it had. Raises NoPort, and leaves it as it was."""
        self._given[name] = self._free()
        return self._given[name]

    def key(self, name: str) -> str:
        """What this engine is asked with, where it wants a key and nobody has set one: the same for as long as it is there."""
        return self._keys.setdefault(name, secrets.token_urlsafe(32))

    def _free(self) -> int:
        given = set(self._given.values())
        for _ in range(TRIES):
            port = self._choose(RANGE)
            if port not in given and not is_taken(port):
                return port
        raise NoPort


class FixedPort(Ports):
    """For an engine whose port has been told to others already: there is no other."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def of(self, name: str) -> int:
        """The port, whatever the name."""
        return self._port

    def another(self, name: str) -> int:
        """There is none: raises NoPort."""
        raise NoPort(self._port)
