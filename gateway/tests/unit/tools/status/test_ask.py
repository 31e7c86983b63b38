"""One question over real sockets, whatever is at the other end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hayate.language import Text
from hayate.tools.status.ask import ask
from hayate.tools.status.refusals import CannotTell, KeyRefused, NoAnswer, NobodyThere, SomethingElse
from hayate.tools.status.target import Target
from tests.support.tables import table

KEY = "sk-hayate-admin-0123456789"
LONG_S = 30.0


@contextmanager
def server(answers: Callable[[socket.socket], object]) -> Iterator[tuple[str, list[bytes]]]:
    """What it listens at, and what it was sent; one connection."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                heard.append(connection.recv(65536))
                answers(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
        thread.join(LONG_S)


def at(url: str, key: str | None = KEY) -> Target:
    return Target(url, key, Text("the/file", "the/file"), Text("--url", "--url"))


def http(status: str, body: bytes, more: bytes = b"") -> Callable[[socket.socket], object]:
    head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n".encode() + more + b"\r\n"
    return lambda connection: connection.sendall(head + body)


def test_the_key_is_sent_and_the_answer_is_read() -> None:
    with server(http("200 OK", b'{"deployments": [], "new": 1}')) as (url, heard):
        assert ask(at(url + "/llm"), LONG_S) == {"deployments": [], "new": 1}
    assert heard[0].startswith(b"GET /llm/admin/status HTTP/1.1\r\n")
    assert f"authorization: Bearer {KEY}".encode() in heard[0]


def test_another_question_has_a_path_and_a_list_of_its_own() -> None:
    with server(http("200 OK", b'{"in_flight": []}')) as (url, heard):
        assert ask(at(url), LONG_S, "/admin/calls?limit=1", "in_flight") == {"in_flight": []}
    assert heard[0].startswith(b"GET /admin/calls?limit=1 HTTP/1.1\r\n")
    with server(http("200 OK", b'{"in_flight": []}')) as (url, _), pytest.raises(SomethingElse):
        ask(at(url), LONG_S)


@table(
    ("answer", "kind", "says"),
    [
        (http("401 Unauthorized", b'{"error": {}}'), KeyRefused, "the/file"),
        (http("404 Not Found", b'{"error": {}}'), SomethingElse, "older Hayate"),
        (http("404 Not Found", b"<html>"), SomethingElse, "another program"),
        (http("200 OK", b"<html>"), SomethingElse, "--url"),
        (http("200 OK", b'{"status": "ok"}'), SomethingElse, "--url"),
        (http("200 OK", b"[]"), SomethingElse, "--url"),
        (http("302 Found", b"", b"location: http://127.0.0.1:1/\r\n"), SomethingElse, "--url"),
        (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n"), SomethingElse, "--url"),
        (
            lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"),
            SomethingElse,
            "--url",
        ),
        (lambda connection: None, SomethingElse, "--url"),
    ],
)
def test_whatever_else_answers_is_told(
    answer: Callable[[socket.socket], object], kind: type[CannotTell], says: str
) -> None:
    with server(answer) as (url, _), pytest.raises(kind) as told:
        ask(at(url), LONG_S)
    assert says in told.value.english
    assert url in told.value.japanese
    assert KEY not in str(told.value) + told.value.japanese


def test_a_key_that_is_not_known_is_asked_for() -> None:
    with server(http("401 Unauthorized", b"{}")) as (url, heard), pytest.raises(KeyRefused, match="HAYATE_DATA"):
        ask(at(url, None), LONG_S)
    assert b"authorization" not in heard[0].lower()


def test_what_says_nothing_is_not_waited_for() -> None:
    over = threading.Event()
    with server(lambda _: over.wait(LONG_S)) as (url, _):
        with pytest.raises(NoAnswer, match=r"within 0\.2 s"):
            ask(at(url), 0.2)
        over.set()


def test_nor_is_a_head_that_never_ends() -> None:
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
        while not over.wait(0.02):
            connection.sendall(b"y")

    with server(drip) as (url, _):
        with pytest.raises(NoAnswer):
            ask(at(url), 0.4)
        over.set()


def test_where_nobody_listens_it_says_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NobodyThere, match="hayate up") as told:
        ask(at(f"http://127.0.0.1:{port}"), LONG_S)
    assert "Errno" not in told.value.japanese


def test_a_name_that_is_none_and_a_port_without_tls() -> None:
    with pytest.raises(NobodyThere, match="no such host"):
        ask(at("http://no-such-host.invalid:8080"), LONG_S)
    with server(http("400 Bad Request", b"")) as (url, _), pytest.raises(NobodyThere, match="certificate"):
        ask(at(url.replace("http", "https")), LONG_S)
