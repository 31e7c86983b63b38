"""The open loop's client against its engine, both compiled and in Python, on loopback; and what is asked on the command line."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from bench.dialogue import Asked, closing_frames, plain_answer, stamped_frame
from bench.load import Target
from bench.open_looks import FIRST, PLAIN, TOKENS, Look
from bench.open_loop import GIVE_UP_S, drive, everyone, sits_out
from bench.open_parts import Programs, client_parts, engine_parts, programs
from bench.open_schedule import Planned, Schedule, poisson
from bench.scenarios import Bench
from bench.standing import Stub, start_stub
from bench.stub import STREAM_HEAD, http_chunk

pytestmark = pytest.mark.anyio
STREAMS = [Planned(n * 2000, 3 + n % 5, "stream") for n in range(40)]
PLAINS = [Planned(n * 5000, 0, "plain") for n in range(16)]
END = b"0\r\n\r\n"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    return programs(tmp_path_factory.mktemp("compiled"))


@pytest.fixture(scope="module", params=["compiled", "Python"])
def pair(request: pytest.FixtureRequest) -> Programs:
    if request.param == "compiled":
        found: Programs = request.getfixturevalue("compiled")
        assert found.compiled
        return found
    home: Path = request.getfixturevalue("tmp_path_factory").mktemp("not-compiled")
    return programs(home, "/bin/false")


def _schedule(calls: list[Planned]) -> Schedule:
    return Schedule("test", sorted(calls, key=lambda each: each.at_us), 0.0, 1000.0)


@asynccontextmanager
async def _engine(pair: Programs, home: Path) -> AsyncIterator[Stub]:
    stub = await start_stub(home, [*pair.stub, str(engine_parts(home / "engine")), "1000", "2000"])
    try:
        yield stub
    finally:
        stub.stop()


async def _look(pair: Programs, home: Path, port: int, calls: list[Planned], *, give_up_s: float = GIVE_UP_S) -> Look:
    target = Target(port, "key")
    parts = client_parts(home / "client" / "parts", target, history=False)
    bench = Bench(target, None, 1)
    return await drive(pair.client, _schedule(calls), bench, parts, give_up_s=give_up_s)


async def test_every_answer_is_whole_and_every_token_has_its_lateness(pair: Programs, tmp_path: Path) -> None:
    async with _engine(pair, tmp_path) as stub:
        look = await _look(pair, tmp_path, stub.port, STREAMS + PLAINS)

    assert not look.errors
    assert look.counted == {
        FIRST: len(STREAMS),
        PLAIN: len(PLAINS),
        TOKENS: sum(each.tokens for each in STREAMS),
    }
    assert look.quantiles[FIRST][0] >= 1.0  # when the first token was due
    assert look.quantiles[TOKENS][0] >= 0.0
    assert look.cores["client"] > 0


async def test_a_compiled_client_understands_an_engine_in_python_and_the_other_way(
    compiled: Programs, tmp_path: Path
) -> None:
    in_python = programs(tmp_path, "/bin/false")
    for client, engine in ((compiled, in_python), (in_python, compiled)):
        async with _engine(engine, tmp_path) as stub:
            look = await _look(client, tmp_path, stub.port, STREAMS + PLAINS)
        assert (look.errors, look.counted[FIRST]) == ({}, len(STREAMS))


async def test_the_engine_answers_what_the_other_scenarios_ask_and_counts_what_it_sent(
    pair: Programs, tmp_path: Path
) -> None:
    async with _engine(pair, tmp_path) as stub:
        connection = http.client.HTTPConnection("127.0.0.1", stub.port, timeout=GIVE_UP_S)
        found = [
            _said(connection, "GET", "/v1/models"),
            _said(connection, "GET", "/health"),
            _said(connection, "POST", "/v1/chat/completions", b"{}"),
            _said(connection, "POST", "/v1/chat/completions", Asked(stream=False).body()),
            _said(connection, "POST", "/v1/chat/completions", Asked(stream=True, tokens=7).body()),
            _said(connection, "POST", "/v1/chat/completions", Asked(stream=True, tokens=2, usage=False).body()),
        ]
        connection.close()

    assert [status for status, _ in found] == [200, 200, 400, 200, 200, 200]
    assert b"stub-model" in found[0][1]
    assert found[3][1] == plain_answer(64)
    events = [json.loads(event[6:]) for event in found[4][1].split(b"\n\n")[:-2]]
    assert [each["usage"] for each in events if "usage" in each] == [
        {"prompt_tokens": 24, "completion_tokens": 7, "total_tokens": 31}
    ]
    assert len(events) == 7 + 2
    assert b"usage" not in found[5][1]
    assert found[5][1].endswith(b"data: [DONE]\n\n")


def _said(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
) -> tuple[int, bytes]:
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.read()


@asynccontextmanager
async def _answering(*answers: bytes) -> AsyncIterator[int]:
    """A server that gives each connection the next of these bytes and hangs up; after the last, it says nothing."""
    left = list(answers)
    held = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        await reader.readuntil(b"}")
        if left:
            writer.write(left.pop(0))
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        for writer in held:
            writer.close()
        server.close()


def _stream(*dues: int, done: bool = True) -> bytes:
    frames = [*map(stamped_frame, dues), *closing_frames(3, usage=True)[: 3 if done else 2]]
    return STREAM_HEAD + b"".join(map(http_chunk, frames))


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (_stream(1, 2, 3), "closed in the middle of the answer"),
        (_stream(1, 2, 3, done=False) + END, "did not end with [DONE]"),
        (_stream(1, 2) + END, "2 of 3 tokens"),
        (_stream(1, 2, 3, 4) + END, "4 of 3 tokens"),
        (_stream(1, 2, 2) + END, "tokens out of order"),
        (_stream(1, 3, 2) + END, "tokens out of order"),
        (STREAM_HEAD + END, "did not end with [DONE]"),
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", "status 503"),
        (b"nonsense\r\n\r\n", "not HTTP"),
        (b"", "closed before the answer"),
    ],
)
async def test_an_answer_that_is_not_whole_is_an_error_with_its_reason(
    pair: Programs, tmp_path: Path, answer: bytes, complaint: str
) -> None:
    async with _answering(answer) as port:
        look = await _look(pair, tmp_path, port, [Planned(0, 3, "stream")])

    assert look.errors == {complaint: 1}
    assert FIRST not in look.counted


async def test_an_answer_cut_anywhere_or_ended_by_hanging_up_is_whole(pair: Programs, tmp_path: Path) -> None:
    body = b"".join(map(stamped_frame, (1, 2, 3))) + b"".join(closing_frames(3, usage=True))
    cut = STREAM_HEAD + b"".join(http_chunk(body[at : at + 7]) for at in range(0, len(body), 7)) + END
    known = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    unknown = b"HTTP/1.1 200 OK\r\n\r\n" + body
    for answer in (cut, known, unknown):
        async with _answering(answer) as port:
            look = await _look(pair, tmp_path, port, [Planned(0, 3, "stream")])
        assert (look.errors, look.counted[FIRST]) == ({}, 1)


@pytest.mark.parametrize(
    "answer", [plain_answer(63), b"{}", plain_answer(64).replace(b'"completion_tokens":64', b'"completion_tokens":1')]
)
async def test_another_plain_answer_is_an_error(pair: Programs, tmp_path: Path, answer: bytes) -> None:
    async with _answering(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(answer) + answer) as port:
        look = await _look(pair, tmp_path, port, [Planned(0, 0, "plain")])

    assert sum(look.errors.values()) == 1


async def test_a_call_that_nobody_answers_is_given_up(pair: Programs, tmp_path: Path) -> None:
    async with _answering() as port:
        look = await _look(pair, tmp_path, port, [Planned(0, 3, "stream")], give_up_s=0.2)

    assert look.errors == {"no end in time": 1}


async def test_a_call_does_not_wait_for_the_one_before_it(pair: Programs, tmp_path: Path) -> None:
    calls = [Planned(0, 3, "stream"), Planned(20_000, 0, "plain")]
    plain = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(plain_answer(64)) + plain_answer(64)
    asked: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        asked.append(writer)
        if len(asked) == len(calls):  # the first is answered when the second has been asked
            stream, other = asked
            other.write(plain)
            stream.write(_stream(1, 2, 3) + END)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        look = await _look(pair, tmp_path, server.sockets[0].getsockname()[1], calls)
    finally:
        for writer in asked:
            writer.close()
        server.close()

    assert (look.errors, look.counted[FIRST], look.counted[PLAIN]) == ({}, 1, 1)


async def test_a_port_that_refuses_is_an_error(pair: Programs, tmp_path: Path) -> None:
    async with _answering() as port:
        pass
    look = await _look(pair, tmp_path, port, [Planned(0, 3, "stream"), Planned(0, 0, "plain")])

    assert sum(look.errors.values()) == 2


async def test_a_client_that_ends_without_a_word_is_noticed(tmp_path: Path) -> None:
    broken = Programs([sys.executable, "-c", "raise SystemExit('no such thing')"], [], compiled=False)

    with pytest.raises(RuntimeError, match="no such thing"):
        await _look(broken, tmp_path, 1, STREAMS)


def test_who_can_not_follow_sits_out_the_higher_rates_alone() -> None:
    out = {rate: [each.name for each in everyone() if sits_out(each, poisson(rate, 1))] for rate in (10.0, 50.0)}

    assert out == {10.0: [], 50.0: ["litellm"]}
