"""The stub engine, in a process of its own as the benchmark starts it."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from bench.dialogue import Asked, plain_answer, stream_answer

from tests.bench.stub_process import running_stub
from tests.support.waiting import LAST_RESORT_S


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with running_stub(tmp_path_factory.mktemp("stub")) as (port, _):
        yield port


def _ask(port: int, asked: Asked) -> httpx2.Response:
    return httpx2.post(f"http://127.0.0.1:{port}/v1/chat/completions", content=asked.body(), timeout=LAST_RESORT_S)


@pytest.mark.parametrize(
    "asked", [Asked(True), Asked(True, tokens=3), Asked(True, tokens=8, rate=200.0), Asked(True, usage=False)]
)
def test_a_streamed_answer_is_exactly_the_one_asked_for(stub: int, asked: Asked) -> None:
    answer = _ask(stub, asked)

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.content == stream_answer(asked.tokens, asked.usage)


def test_a_plain_answer_is_exactly_the_one_asked_for(stub: int) -> None:
    assert _ask(stub, Asked(stream=False, tokens=7)).content == plain_answer(7)


def test_a_paced_answer_takes_its_time(stub: int) -> None:
    began = time.monotonic()
    _ask(stub, Asked(stream=True, tokens=20, rate=100.0))

    assert time.monotonic() - began >= 0.19


def test_each_token_of_a_paced_stream_is_an_http_chunk_of_its_own(stub: int) -> None:
    asked = Asked(stream=True, tokens=4, rate=50.0)
    with socket.create_connection(("127.0.0.1", stub), timeout=LAST_RESORT_S) as connection:
        body = asked.body()
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        )
        raw = b""
        while not raw.endswith(b"\r\n0\r\n\r\n"):
            raw += connection.recv(65536)

    assert raw.count(b"\r\ndata: ") == 4 + 3


def test_models_and_health_answer_and_other_paths_do_not(stub: int) -> None:
    models = httpx2.get(f"http://127.0.0.1:{stub}/v1/models").json()

    assert [each["id"] for each in models["data"]] == ["stub-model"]
    assert httpx2.get(f"http://127.0.0.1:{stub}/health").status_code == 200
    assert httpx2.get(f"http://127.0.0.1:{stub}/nothing").status_code == 404


def test_a_request_that_asks_for_nothing_known_is_refused(stub: int) -> None:
    refused = httpx2.post(f"http://127.0.0.1:{stub}/v1/chat/completions", content=json.dumps({"messages": []}))

    assert refused.status_code == 400


def test_a_client_that_leaves_does_not_disturb_the_next(stub: int) -> None:
    body = Asked(stream=True, rate=100.0).body()
    with socket.create_connection(("127.0.0.1", stub), timeout=LAST_RESORT_S) as connection:
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        )
        connection.recv(10)

    assert _ask(stub, Asked(stream=True, tokens=4, rate=100.0)).content == stream_answer(4)


def test_the_stub_stops_when_told(tmp_path: Path) -> None:
    with running_stub(tmp_path) as (_, started):
        assert not started.exited
        started.stop()
        assert started.exited
