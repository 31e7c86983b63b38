"""Answers read line by line: each wait has a limit, and what breaks says how."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from hayate.tools import line_stream
from hayate.tools.line_stream import Broken, Silent, Unreached, opened
from tests.support.ports import free_port

HEAD = b"HTTP/1.1 200 OK\r\nX-One: 1\r\n"


def asked(client: socket.socket) -> bytes:
    """One request, whole."""
    found = b""
    while b"\r\n\r\n" not in found or (found.startswith(b"POST") and not found.endswith(b"}")):
        found += client.recv(65536)
    return found


@contextlib.contextmanager
def server(*pieces: bytes, keeps_open: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """Sends these to the first who asks, whatever is asked."""
    heard: list[bytes] = []
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                client, _ = listening.accept()
                with client:
                    heard.append(asked(client))
                    for piece in pieces:
                        client.sendall(piece)
                    if keeps_open:
                        heard.append(client.recv(65536))
                        over.wait(60)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}", heard
        finally:
            over.set()
            thread.join()


def ask(url: str, silence_s: float = 10) -> list[bytes]:
    with opened(url, "POST", "/x", {"a": "あ"}, {"authorization": "Bearer k"}, silence_s=silence_s) as answer:
        assert answer.headers.get("x-one") == "1"
        return list(answer.lines())


def test_lines_come_without_their_ends() -> None:
    with server(HEAD + b"\r\na\r\nb\n", b"\nc") as (url, heard):
        assert ask(url) == [b"a", b"b", b"", b"c"]
    assert heard[0].startswith(b"POST /x HTTP/1.1\r\n")
    assert b"Bearer k" in heard[0]
    assert heard[0].endswith('{"a":"あ"}'.encode())


def test_a_body_that_is_cut_is_broken() -> None:
    with (
        server(HEAD + b"Content-Length: 5\r\n\r\nabc") as (url, _),
        opened(url, "GET", "/x", None, {}, silence_s=10) as answer,
        pytest.raises(Broken),
    ):
        answer.body()


def test_silence_has_an_end_before_the_head_and_after_it() -> None:
    for pieces in ((), (HEAD + b"\r\na\n",)):
        with server(*pieces, keeps_open=True) as (url, _), pytest.raises(Silent):
            ask(url, 0.05)


def test_a_line_without_an_end_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_stream, "MAX_LINE_BYTES", 1000)
    with server(HEAD + b"\r\n" + b"x" * 5000) as (url, _), pytest.raises(Broken, match="without an end"):
        ask(url)


def test_nobody_or_somebody_else_is_unreached() -> None:
    with pytest.raises(Unreached):
        ask(f"http://127.0.0.1:{free_port()}")
    with server(b"SSH-2.0-x\r\n") as (url, _), pytest.raises(Unreached):
        ask(url)


def test_leaving_cuts_the_connection() -> None:
    with (
        server(HEAD + b"\r\na\n", keeps_open=True) as (url, heard),
        opened(url, "GET", "/x", None, {}, silence_s=10) as answer,
    ):
        assert next(answer.lines()) == b"a"
    assert heard[1:] == [b""]
