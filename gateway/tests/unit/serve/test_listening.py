"""A socket to listen on, or one line that says what to set; and what it says can be had."""

from __future__ import annotations

import re
import socket

import pytest

from hayate.serve.listening import CannotListen, bind, listener


def refusal(host: str, port: int) -> CannotListen:
    """What is said of an address that can't be had: a line in each language."""
    with pytest.raises(CannotListen) as refused:
        listener(host, port)
    assert "\n" not in refused.value.english + refused.value.japanese
    assert refused.value.english != refused.value.japanese
    return refused.value


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_taken_port_is_told_with_one_that_is_free(host: str) -> None:
    with bind(host, 0) as taken:
        port = taken.getsockname()[1]
        told = refusal(host, port)
        for text in (told.english, told.japanese):
            other = int(re.findall(r"HAYATE_PORT=(\d+)", text)[0])
            assert other != port
            listener(host, other).close()


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "no-such-host.invalid"])
def test_a_host_that_is_not_this_machines_is_told_with_some_that_are(host: str) -> None:
    told = refusal(host, 8080)
    for text in (told.english, told.japanese):
        assert f"HAYATE_HOST={host}" in text
        listener("127.0.0.1" if "127.0.0.1" in text else "", 0).close()


def test_a_socket_is_ready_for_an_event_loop() -> None:
    with listener("127.0.0.1", 0) as made, socket.create_connection(made.getsockname()):
        assert not made.getblocking()
