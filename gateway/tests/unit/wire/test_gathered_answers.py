"""What is gathered of each dialect's stream, from every engine, in whatever pieces it comes."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import GatewayError
from hayate.relay.pump import Pump
from hayate.wire import engine_json, sse
from hayate.wire.assemble import Assembler
from hayate.wire.faults import UNREADABLE
from hayate.wire.gathered import Gathered
from hayate.wire.gathered_answers import GatheredChat, GatheredGenerate, GatheredMessage
from hayate.wire.gathered_response import GatheredResponse
from hayate.wire.json_text import well_formed
from hayate.wire.messages import MessageAssembler
from hayate.wire.partial_response import PartialResponse
from tests.support import splits
from tests.support.streams import STREAMS

LIMIT = 1 << 20


def joined(body: bytes, assembler: Any) -> dict[str, Any]:
    """What the events say, each parsed by itself. Raises one of `UNREADABLE`, or what the engine says went wrong."""
    for frame in sse.frames(body) if body else ():
        data = sse.data_of(frame)
        if data is not None and data.strip().startswith(b"{"):
            assembler.add(engine_json.read(data))
    found: dict[str, Any] = well_formed(assembler.answer())
    return found


def message_of(answer: dict[str, Any]) -> Any:
    return answer["choices"][0]["message"] if answer["choices"] else None


class GatheringClient(splits._Client):
    """A client as `splits` has it, with a gatherer."""

    def __init__(self, gathered: Gathered) -> None:
        super().__init__()
        self.gathered = gathered

    def attach(self, pump: Pump | None) -> None:
        if pump is not None:
            pump.listening = self.gathered.listening

    def writer(self) -> Callable[[bytes], None]:
        write = super().writer()

        def taken(data: bytes) -> None:
            write(data)
            self.gathered.add(data)

        return taken

    def raw_writer(self) -> Callable[[bytes], None] | None:
        return self.gathered.raw_writer(self._pass)


GATHERERS: dict[str, tuple[type[Gathered], Callable[[], Any]]] = {
    "messages": (GatheredMessage, MessageAssembler),
    "responses": (GatheredResponse, PartialResponse),
    "chat": (GatheredChat, Assembler),
}


def dialect_of(name: str) -> str:
    return next((each for each in ("messages", "responses") if each in name), "chat")


def readable(name: str) -> bool:
    odd = (
        "two answers",
        "n2",
        "bad escape",
        "generate",
        "audio",
        "transcriptions",
        "speech",
        "completions",
        "continue",
    )
    return not any(each in name for each in odd)


NAMES = [name for name in sorted(STREAMS) if readable(name)]


@pytest.mark.parametrize("seed", range(4))
def test_streams_of_every_engine_however_they_are_cut(seed: int) -> None:
    draw = random.Random(seed)

    async def all_of_them() -> int:
        relay, short = splits.Relay(), 0
        for name in NAMES:
            stream = STREAMS[name]
            gatherer, assembler = GATHERERS[dialect_of(name)]
            client = GatheringClient(gatherer(LIMIT))
            await relay.stream(stream, splits.random_reads(stream.http, draw), client=client)
            body = client.body()
            try:
                expected = joined(body, assembler())
            except (GatewayError, *UNREADABLE):
                continue
            found = client.gathered.answer()
            if dialect_of(name) == "chat":
                assert message_of(found) == message_of(expected), name
            else:
                assert found == expected, name
            short += client.framed
        return short

    assert asyncio.run(all_of_them()) > 100


@given(
    st.lists(st.tuples(st.sampled_from(["delta", "reasoning"]), st.text(min_size=1, max_size=5)), max_size=20),
    st.randoms(),
)
def test_the_events_of_generate_stream(pieces: list[tuple[str, str]], draw: random.Random) -> None:
    gathered = GatheredGenerate(LIMIT)
    n, waiting, expected = 0, b"", {"delta": "", "reasoning": ""}
    for kind, text in pieces:
        for _ in range(draw.choice((1, 3))):
            n += 1
            expected[kind] += text
            waiting += sse.render(json.dumps({kind: text}).encode(), event_id=f"s-{n}")
            if draw.random() < 0.8:
                gathered.add(waiting)
                waiting = b""
    gathered.add(waiting + sse.render(b'{"finish_reason":"stop"}', event="done", event_id=f"s-{n + 1}"))
    answer = gathered.answer()
    message = message_of(answer)
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert (message["content"] or "", message.get("reasoning", "")) == (*expected.values(),)
