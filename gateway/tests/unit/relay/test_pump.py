"""The pump moves an engine's bytes in the callback that brought them, and watches every limit on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

import pytest

from hayate.errors import GatewayError
from hayate.policy.progress import Progress
from hayate.relay.pump import Look, Pump
from hayate.relay.ticker import Ticker
from hayate.relay.watch import Watch
from hayate.settings import Timeouts
from hayate.upstream.connection_pool import ConnectionPool
from hayate.upstream.exchange import Exchange
from hayate.upstream_errors import UpstreamBroke, UpstreamTimeout
from hayate.wire.openai_stream import OpenAIStream
from hayate.wire.passthrough_stream import RawStream
from hayate.wire.upstream_request import UpstreamRequest
from tests.support.engine_faults import HEADERS_THEN_SILENCE, cut_mid_frame, error_then_done, silent_mid_stream
from tests.support.engine_script import SSE, Answer, Chat, Request, body, cut, end, frame, head, silence
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.waiting import LAST_RESORT_S, NEVER_S, eventually

pytestmark = pytest.mark.anyio

PATIENT = Timeouts(first_byte_s=NEVER_S, silence_s=NEVER_S)


class Kept:
    """A sink that keeps what it is given."""

    def __init__(self, *, framed: bool = False) -> None:
        self.pieces: list[bytes] = []
        self.chunks: list[bytes] = []
        self.framed = framed
        self.pump: Pump | None = None
        self.gave_up = False

    @property
    def text(self) -> bytes:
        return b"".join(self.pieces)

    def writer(self) -> Callable[[bytes], None]:
        return self.pieces.append

    def raw_writer(self) -> Callable[[bytes], None] | None:
        return self._take_chunk if self.framed else None

    def _take_chunk(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self.pieces.append(chunk.partition(b"\r\n")[2][:-2])

    def hold(self) -> None: ...

    def flush(self) -> None: ...

    def attach(self, pump: Pump | None) -> None:
        self.pump = pump or self.pump

    def give_up(self) -> None:
        self.gave_up = True


class Garbage(RawStream):
    """A decoder with a fault."""

    def feed(self, data: bytes) -> bytes:
        raise KeyError("choices")


@asynccontextmanager
async def pumping(
    script: Answer, sink: Kept, decoder: Any = None, timeouts: Timeouts = PATIENT, stall_s: float = NEVER_S
) -> AsyncIterator[tuple[asyncio.Task[None], Pump, FakeEngine, Exchange]]:
    """A pump on its way from a fake engine to `sink`."""
    async with running_engine(script) as engine:
        pool, ticker = ConnectionPool(engine.url, connect_s=5), Ticker(0.02)
        asked = UpstreamRequest("/v1/chat/completions", b'{"stream":true}')
        exchange = await pool.send(asked, first_byte_s=NEVER_S)
        pump = Pump(
            exchange,
            decoder or OpenAIStream(keep_usage=False),
            sink,
            Watch(ticker, timeouts, stall_s, monotonic(), Progress()),
        )
        task = asyncio.create_task(pump.run())
        try:
            yield task, pump, engine, exchange
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            exchange.close()
            ticker.close()
            pool.close()


def whole(script: Chat) -> bytes:
    asked = Request(path="/v1/chat/completions", body=b'{"stream":true}')
    return b"".join(script.frames(asked))


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("script", [Chat(), Chat(["x"] * 300), Chat(gap_s=0.01), Chat(per_write=3), Chat(eol="\r\n")])
async def test_every_byte_arrives_in_order(script: Chat, framed: bool) -> None:
    sink = Kept(framed=framed)
    async with pumping(script, sink) as (task, pump, _, _exchange):
        await asyncio.wait_for(task, LAST_RESORT_S)
        assert sink.text == whole(script)
        assert pump.first_delta_at


async def test_plain_chunks_are_forwarded_as_they_came() -> None:
    sink = Kept(framed=True)
    async with pumping(Chat(["x"] * 20, gap_s=0.01), sink) as (task, *_):
        await asyncio.wait_for(task, LAST_RESORT_S)
    assert len(sink.chunks) > 10


@pytest.mark.parametrize("script", [cut_mid_frame(), error_then_done(), [head(headers=SSE), body(b"data: 7\n\n"), end]])
async def test_what_breaks_is_raised_after_what_was_good(script: Answer) -> None:
    sink = Kept()
    async with pumping(script, sink) as (task, *_):
        with pytest.raises(UpstreamBroke):
            await asyncio.wait_for(task, LAST_RESORT_S)
    assert b"[DONE]" not in sink.text


async def test_a_decoders_own_fault_is_an_engines_that_cannot_be_read() -> None:
    async with pumping(Chat(), Kept(), Garbage()) as (task, *_):
        with pytest.raises(UpstreamBroke, match="can't be read"):
            await asyncio.wait_for(task, LAST_RESORT_S)


@pytest.mark.parametrize(
    ("script", "timeouts", "named"),
    [
        (HEADERS_THEN_SILENCE, Timeouts(first_byte_s=0.1, silence_s=NEVER_S), "first_byte_s"),
        (silent_mid_stream(), Timeouts(first_byte_s=NEVER_S, silence_s=0.1), "silence_s"),
        (Chat(["x"] * 999, gap_s=0.02), Timeouts(first_byte_s=NEVER_S, silence_s=NEVER_S, total_s=0.2), "total_s"),
        ([head(headers=SSE), *[each for _ in range(99) for each in (body(b": hi\n\n"), 0.02)]],
         Timeouts(first_byte_s=0.2, silence_s=NEVER_S), "first_byte_s"),
    ],
)  # fmt: skip
async def test_every_limit_is_named_when_it_is_reached(script: Answer, timeouts: Timeouts, named: str) -> None:
    async with pumping(script, Kept(), timeouts=timeouts) as (task, *_):
        with pytest.raises(UpstreamTimeout, match=f"timeouts.{named}"):
            await asyncio.wait_for(task, LAST_RESORT_S)


@pytest.mark.parametrize("framed", [False, True])
async def test_what_has_come_is_known_before_the_end(framed: bool) -> None:
    sink = Kept(framed=framed)
    async with pumping(silent_mid_stream(), sink) as (_, pump, *_):
        await eventually(lambda: sink.text.count(b"data: ") >= 2)
        assert 0 < pump.made <= sink.text.count(b"data: ")


@pytest.mark.parametrize("framed", [False, True])
async def test_what_has_come_is_not_counted_again_when_the_engine_tells_it(framed: bool) -> None:
    script = Chat(["x"] * 8, gap_s=0.01, usage_always=True, done=False, last=[silence])
    decoder = OpenAIStream(keep_usage=False)
    async with pumping(script, Kept(framed=framed), decoder) as (_, pump, *_):
        await eventually(lambda: decoder.usage.told)
        assert (pump.made, pump.passed > 0) == (8, framed)


async def test_what_has_come_is_not_counted_again_when_the_stream_is_over() -> None:
    async with pumping(Chat(["x"] * 8, gap_s=0.01), Kept(framed=True)) as (task, pump, *_):
        await asyncio.wait_for(task, LAST_RESORT_S)
        assert pump.made == 8 >= pump.passed > 0


async def test_tokens_that_keep_coming_reach_no_limit() -> None:
    sink = Kept(framed=True)
    async with pumping(Chat(["x"] * 24, gap_s=0.05), sink, timeouts=Timeouts(first_byte_s=1.0, silence_s=1.0)) as (
        task,
        *_,
    ):
        await asyncio.wait_for(task, LAST_RESORT_S)
    assert sink.text.endswith(b"[DONE]\n\n")


async def test_tokens_that_keep_coming_reach_no_limit_where_the_engine_has_told_of_more() -> None:
    sink, told = Kept(framed=True), frame({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 1000}})
    frames = whole(Chat(["x"] * 40)).split(b"\n\n")[:-1]
    steps = [step for each in frames for step in (body(each + b"\n\n"), 0.05)]
    script = [head(headers=SSE), *steps[:4], body(told), *steps[4:], end]
    async with pumping(script, sink, timeouts=Timeouts(first_byte_s=1.0, silence_s=1.0)) as (task, *_):
        await asyncio.wait_for(task, LAST_RESORT_S)
    assert sink.text.count(b'"x"') == 40


async def test_how_fast_tokens_come_is_seen_where_it_is_wanted() -> None:
    async with pumping(Chat(["x"] * 24, gap_s=0.05), Kept(framed=True)) as (task, pump, *_):
        progress = pump._watch.progress
        progress.watch_pace(wanted=True)
        await asyncio.wait_for(task, LAST_RESORT_S)
        assert progress.gaps
        assert max(progress.gaps) > 0.01


async def test_a_full_sink_stops_the_reading_and_a_drained_one_goes_on() -> None:
    sink = Kept()
    script = Chat(["x" * 4000] * 4000)
    async with pumping(script, sink, timeouts=Timeouts(first_byte_s=NEVER_S, silence_s=1.0)) as (task, pump, engine, _):
        await eventually(lambda: sink.pieces)
        pump.pause()
        count = -1
        while count != engine.bytes_sent:
            count = engine.bytes_sent
            await asyncio.sleep(0.1)
        stopped_at = len(sink.text)
        await asyncio.sleep(1.3)  # longer than the silence an engine may keep
        assert len(sink.text) == stopped_at
        assert not task.done()
        pump.resume()
        await asyncio.wait_for(task, LAST_RESORT_S)
    assert sink.text == whole(script)


async def test_a_sink_that_stays_full_is_given_up() -> None:
    sink = Kept()
    async with pumping(Chat(["x"] * 500, gap_s=0.005), sink, stall_s=0.1) as (_, pump, _engine, _exchange):
        await eventually(lambda: sink.pieces)
        pump.pause()
        await eventually(lambda: sink.gave_up)


@pytest.mark.parametrize("last", [[silence], [cut], [0.2, end]])
async def test_after_its_done_a_stream_is_whole_however_its_connection_ends(last: Any) -> None:
    sink = Kept()
    async with pumping(Chat(last=last), sink) as (task, *_):
        await asyncio.wait_for(task, LAST_RESORT_S)
    assert sink.text == whole(Chat())


async def test_a_cancelled_pump_writes_no_more() -> None:
    sink = Kept()
    async with pumping(Chat(["x"] * 1000, gap_s=0.002), sink) as (task, _pump, engine, exchange):
        await eventually(lambda: sink.pieces)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        exchange.close()
        count = len(sink.pieces)
        await eventually(engine.abandoned.is_set)
        assert len(sink.pieces) == count


async def test_bytes_that_are_no_events_pass_as_they_are() -> None:
    sink = Kept()
    pieces = [b"RIFF" * 10, b"\x00\xff", b": not a comment"]
    async with pumping([head(headers={"content-type": "audio/wav"}), *map(body, pieces), end], sink, RawStream()) as (
        task,
        *_,
    ):
        await asyncio.wait_for(task, LAST_RESORT_S)
    assert sink.text == b"".join(pieces)


async def test_an_error_of_ours_is_raised_as_it_is() -> None:
    class Refusing(RawStream):
        def feed(self, data: bytes) -> bytes:
            raise GatewayError("no")

    async with pumping(Chat(), Kept(), Refusing()) as (task, *_):
        with pytest.raises(GatewayError, match=r"^no$"):
            await asyncio.wait_for(task, LAST_RESORT_S)


async def test_a_stream_has_one_look_at_it_however_many_want_to_look() -> None:
    looks: list[float] = []

    class Looking(Kept):
        def attach(self, pump: Pump | None) -> Look:  # type: ignore[override]
            super().attach(pump)
            return looks.append

    async with pumping(silent_mid_stream(), Looking()) as (task, pump, _, __):
        await eventually(lambda: len(looks) >= 3)
        assert list(pump._watch.ticker) == [pump]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert list(pump._watch.ticker) == []
