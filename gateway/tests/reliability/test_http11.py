"""RELIABILITY: HTTP/1.1 as RFC 9110 and 9112 have it: at least 31 of the 33 cases below.

Every case is a payload and the statuses that are right for it; 0 stands for a connection closed without an answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import pytest

from tests.support.gateway import KEY
from tests.support.scene import CHAT_PATH, HELLO, Stage, scene

pytestmark = pytest.mark.anyio

BODY = json.dumps({"messages": HELLO}).encode()
HOST = b"host: gateway\r\n"
GET = b"GET /health HTTP/1.1\r\n"
POST = b"POST %b HTTP/1.1\r\n%bauthorization: Bearer %b\r\n" % (CHAT_PATH.encode(), HOST, KEY.encode())
NEEDED = 31


@dataclass
class Case:
    """What is sent, in pieces that leave one by one; the statuses that are right, in order."""

    right: list[set[int]]
    pieces: list[bytes] = field(default_factory=list)


def one(payload: bytes, *statuses: int) -> Case:
    return Case([set(statuses)], [payload])


def chunked(body: bytes) -> bytes:
    return POST + b"transfer-encoding: chunked\r\n\r\n" + body


WHOLE_CHUNK = b"%x\r\n%b\r\n" % (len(BODY), BODY)
CASES: dict[str, Case] = {
    # The request line.
    "a request": one(GET + HOST + b"\r\n", 200),
    "a request byte by byte": Case([{200}], [bytes((each,)) for each in GET + HOST + b"\r\n"]),
    "empty lines before it": one(b"\r\n\r\n" + GET + HOST + b"\r\n", 200),
    "an absolute target": one(b"GET http://gateway/health HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    "an encoded path": one(b"GET /%68ealth HTTP/1.1\r\n" + HOST + b"\r\n", 200),
    "an unknown path": one(b"GET /nowhere HTTP/1.1\r\n" + HOST + b"\r\n", 404),
    "a known method on the wrong path": one(b"PUT /health HTTP/1.1\r\n" + HOST + b"content-length: 0\r\n\r\n", 405),
    "an unknown method": one(b"BREW /health HTTP/1.1\r\n" + HOST + b"\r\n", 400, 405, 501),
    "a method in lower case": one(b"get /health HTTP/1.1\r\n" + HOST + b"\r\n", 400, 405, 501),
    "HEAD, without a body": one(b"HEAD /health HTTP/1.1\r\n" + HOST + b"\r\n", 200, 405),
    "HTTP/1.0": one(b"GET /health HTTP/1.0\r\n\r\n", 200),
    "a major version of the future": one(b"GET /health HTTP/9.1\r\n" + HOST + b"\r\n", 400, 505),
    "no version": one(b"GET /health\r\n\r\n", 400, 0),
    "two spaces in the request line": one(b"GET  /health  HTTP/1.1\r\n" + HOST + b"\r\n", 400, 200),
    "a raw space in the target": one(b"GET /he alth HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a control character in the target": one(b"GET /he\x01alth HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    # Headers.
    "no host": one(GET + b"\r\n", 400),
    "two hosts": one(GET + HOST + b"host: other\r\n\r\n", 400),
    "names in capitals": one(b"GET /health HTTP/1.1\r\nHOST: gateway\r\n\r\n", 200),
    "spaces around a value": one(GET + b"host: \t gateway \t \r\n\r\n", 200),
    "a space before the colon": one(GET + b"host : gateway\r\n\r\n", 400),
    "a folded header": one(GET + HOST + b"x: a\r\n b\r\n\r\n", 400, 200),
    "a NUL in a header": one(GET + HOST + b"x: a\x00b\r\n\r\n", 400),
    "a header without a colon": one(GET + HOST + b"nonsense\r\n\r\n", 400),
    # Bodies.
    "a body with its length": one(POST + b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY), 200),
    "a body in chunks": one(chunked(WHOLE_CHUNK + b"0\r\n\r\n"), 200),
    "chunks with extensions and trailers": one(
        chunked(b"%x;name=value\r\n%b\r\n0\r\nx-trailer: y\r\n\r\n" % (len(BODY), BODY)), 200
    ),
    "a chunk size that is none": one(chunked(b"zz\r\n" + BODY), 400),
    "a length that is none": one(POST + b"content-length: some\r\n\r\n" + BODY, 400),
    "a length and chunks": one(POST + b"content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "expect: 100-continue": Case(
        [{100}, {200}], [POST + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % len(BODY), BODY]
    ),
    # Connections.
    "two requests, one after another": Case([{200}, {200}], [GET + HOST + b"\r\n" + GET + HOST + b"\r\n"]),
    "connection: close, and more": Case([{200}], [GET + HOST + b"connection: close\r\n\r\n" + GET + HOST + b"\r\n"]),
}


def statuses(said: bytes) -> list[int]:
    return [int(part[:3]) for part in said.split(b"HTTP/1.1 ")[1:]] or [0]


@pytest.fixture(scope="module")
async def closing_stage() -> AsyncIterator[Stage]:
    """A gateway that keeps a connection for a second, so that every case has an end; heads may take their time."""
    async with scene(server={"keep_alive_s": 1, "header_timeout_s": 60, "body_timeout_s": 60}) as stage:
        yield stage


@pytest.fixture(scope="module")
async def answers(closing_stage: Stage) -> Mapping[str, bytes]:
    """Everything the gateway answered to each case."""

    async def ask(case: Case) -> bytes:
        async with closing_stage.connect() as client:
            for piece in case.pieces:
                await client.send(piece)
                await asyncio.sleep(0.002)
            return await client.read_to_end()

    await closing_stage.healthy()
    said = await asyncio.gather(*(ask(case) for case in CASES.values()))
    return dict(zip(CASES, said, strict=True))


def verdicts(answers: Mapping[str, bytes]) -> dict[str, bool]:
    found = {}
    for name, case in CASES.items():
        seen = statuses(answers[name])
        found[name] = len(seen) == len(case.right) and all(a in b for a, b in zip(seen, case.right, strict=True))
    return found


async def test_at_least_31_of_33_cases_are_right(answers: Mapping[str, bytes]) -> None:
    assert len(CASES) == 33
    wrong = {name: answers[name] for name, right in verdicts(answers).items() if not right}
    assert len(CASES) - len(wrong) >= NEEDED, wrong
    assert not wrong, "enough, but fewer than before"


async def test_head_has_no_body(answers: Mapping[str, bytes]) -> None:
    assert answers["HEAD, without a body"].endswith(b"\r\n\r\n")


async def test_every_answer_says_when_it_was_given_and_in_which_length(answers: Mapping[str, bytes]) -> None:
    said = answers["a request"].lower()
    assert b"\r\ndate: " in said
    assert b"\r\ncontent-length: " in said


async def test_an_answer_to_http10_closes(answers: Mapping[str, bytes]) -> None:
    assert b"\r\nconnection: close\r\n" in answers["HTTP/1.0"]
