"""A port for each name, the same as long as nobody else has it."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

from hayate.engines.ports import RANGE, FixedPort, NoPort, Ports, is_taken
from tests.support.ports import free_port


def test_each_name_has_a_port_of_its_own_and_keeps_it() -> None:
    ports = Ports()
    given = [ports.of(name) for name in ("fast", "smart", "fast")]
    assert given[0] == given[2] != given[1]
    assert all(port in RANGE for port in given)


def test_no_port_is_given_twice_nor_one_that_somebody_has() -> None:
    taken, *free = [free_port() for _ in range(9)]  # what runs beside this may have taken one or another since
    wanted = iter([taken, *(port for port in free for _ in range(2)), taken])

    def choose(_: Sequence[int]) -> int:
        return next(wanted)

    ports = Ports(choose)
    with socket.create_server(("127.0.0.1", taken)):
        given = [ports.of("fast"), ports.of("smart")]
    assert given == sorted(set(given), key=free.index), "each of those that were free, and none twice"


def test_a_lost_port_is_given_up_for_another() -> None:
    ports = Ports()
    old = ports.of("fast")
    new = ports.another("fast")
    assert new != old
    assert ports.of("fast") == new


def test_where_none_is_free_that_is_said() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as server:
        port = server.getsockname()[1]
        assert is_taken(port)
        with pytest.raises(NoPort):
            Ports(lambda _: port).of("fast")
    assert not is_taken(port)


def test_each_name_has_a_key_of_its_own_and_keeps_it() -> None:
    ports = Ports()
    keys = [ports.key(name) for name in ("fast", "smart", "fast")]
    assert keys[0] == keys[2] != keys[1]


def test_a_port_that_was_told_to_others_is_the_only_one() -> None:
    ports = FixedPort(1234)
    assert ports.of("fast") == ports.of("smart") == 1234
    with pytest.raises(NoPort, match=r"port 1234 on .* belongs to another program"):
        ports.another("fast")
