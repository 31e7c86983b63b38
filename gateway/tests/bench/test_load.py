"""The load client counts what arrived and notices what did not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from bench.dialogue import Asked, closing_frames, stream_answer, token_frames
from bench.load import Load, Target, watch
from bench.scenarios import Bench, Plan, measure, percentile
from bench.stub import STREAM_HEAD

from tests.bench.stub_process import running_stub
from tests.support.waiting import LAST_RESORT_S, eventually

pytestmark = pytest.mark.anyio
ASKED = Asked(stream=True, tokens=4)
END = b"0\r\n\r\n"


def _chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int]]:
    with running_stub(tmp_path_factory.mktemp("stub")) as (port, started):
        yield port, started.pid


@asynccontextmanager
async def gateway_answering(answer: bytes) -> AsyncIterator[Load]:
    """A load of one caller on a server that gives every request the same bytes and hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    load = Load(Target(server.sockets[0].getsockname()[1], "key"), ASKED, 1)
    try:
        await load.open()
        yield load
    finally:
        await load.hang_up()
        server.close()


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (STREAM_HEAD + _chunked(stream_answer(4))[:-40], "closed in the middle of the answer"),
        (STREAM_HEAD + _chunked(b"".join(token_frames(4))) + END, "did not end with [DONE]"),
        (STREAM_HEAD + _chunked(b"".join(token_frames(3) + closing_frames(4, True))) + END, "3 of 4 events"),
        (STREAM_HEAD + END, "did not end with [DONE]"),
        (b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", "status 503"),
        (b"nonsense\r\n\r\n", "not HTTP"),
        (b"", "closed before the answer"),
    ],
)
async def test_a_truncated_or_refused_answer_is_an_error_with_its_reason(answer: bytes, complaint: str) -> None:
    async with gateway_answering(answer) as load:
        await eventually(lambda: load.tally.errors[complaint])

        assert load.tally.answers == 0


async def test_a_whole_answer_is_counted_however_it_was_cut_into_chunks() -> None:
    body = stream_answer(4)
    answer = STREAM_HEAD + b"".join(_chunked(body[at : at + 7]) for at in range(0, len(body), 7)) + END
    async with gateway_answering(answer) as load:
        await eventually(lambda: load.tally.answers)

        assert load.tally.identical == load.tally.answers


async def test_every_answer_of_the_stub_is_whole_and_every_event_counted(stub: tuple[int, int]) -> None:
    load = Load(Target(stub[0], "key"), Asked(stream=True, tokens=8, rate=200.0), 10)
    await load.open(random_first=False)
    await eventually(lambda: load.tally.answers >= 10)
    await load.drain(LAST_RESORT_S)

    assert load.tally.answers >= 10
    assert load.tally.identical == load.tally.answers
    assert load.tally.events == 8 * load.tally.answers
    assert not load.tally.errors


async def test_a_window_sees_only_what_passed_in_it(stub: tuple[int, int]) -> None:
    load = Load(Target(stub[0], "key"), Asked(stream=False), 2)
    await load.open()
    await eventually(lambda: load.tally.answers > 10)
    seen_before = load.tally.answers
    window = await watch(load, 1.0, lambda: {"gateway": 0.0})
    await load.drain(LAST_RESORT_S)

    assert 0 < window.answers <= load.tally.answers - seen_before
    assert len(window.latencies_ns) == window.answers


@pytest.mark.parametrize("scenario", ["held", "paced", "burst", "plain", "latency", "crowd"])
async def test_each_scenario_yields_figures_without_an_error(stub: tuple[int, int], scenario: str) -> None:
    port, pid = stub
    bench = Bench(Target(port, "key"), pid, pid)
    plan = Plan(rounds=1, warm_s=0.05, paced_s=0.3, burst_s=0.2, latency_s=0.2, held=20, crowd=40, crowd_s=0.5)

    figures = await measure(scenario, bench, plan)

    assert not figures.errors
    key = {"held": "open", "latency": "p50_us"}.get(scenario, "gateway_us")
    assert figures.values[key] > 0


async def test_a_port_that_refuses_is_an_error(tmp_path: Path) -> None:
    with running_stub(tmp_path) as (port, _):
        pass
    load = Load(Target(port, "key"), ASKED, 2)
    await load.open()
    await load.hang_up()

    assert load.tally.errors == {"connect: ConnectionRefusedError": 2}


def test_a_percentile_is_a_value_that_was_seen() -> None:
    values = list(range(1, 101))

    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([7], 0.99)) == (50, 99, 7)
