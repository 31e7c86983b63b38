"""However a stream is cut, and whichever way its events take, what is gathered is what they say."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.wire import engine_json, sse
from hayate.wire.assemble import Assembler
from hayate.wire.gathered import Gathered
from hayate.wire.gathered_answers import GatheredChat, GatheredMessage
from hayate.wire.gathered_response import GatheredResponse
from hayate.wire.gathered_run import FOLD_TEXT_BYTES
from hayate.wire.json_text import well_formed
from hayate.wire.openai_stream import OpenAIStream
from tests.support.streams import chunk, event, said
from tests.support.tables import table

LIMIT = 1 << 20


class Way:
    """Whole events, each on the way that it takes through the gateway: unread, where its decoder finds it plain."""

    def __init__(self, gathered: Gathered, *, fast: bool = True) -> None:
        self.gathered = gathered
        self.written: list[bytes] = []
        self.short = 0
        self._reader = gathered.listening(OpenAIStream(keep_usage=True)) if fast else None
        self._pass = gathered.raw_writer(self.written.append)
        self._shape: Any = None

    def send(self, *events: bytes) -> None:
        for each in events:
            raw = chunk(each)
            known = self._shape is not None and self._shape.holds(each)
            if self._reader is not None and len(raw) < 2048 and (known or self._learns(each)):
                self._pass(raw)
                self.short += 1
                assert self.written.pop() == raw
            else:
                self.gathered.add(each)

    def _learns(self, each: bytes) -> bool:
        shape = self._reader.plain_shape(each) if self._reader is not None else None
        if shape is not None and shape.lasts:
            self._shape = shape
        return shape is not None


def as_events(chunks: Iterable[Any], *, spaced: bool = False) -> list[bytes]:
    return [event(each, spaced=spaced).encode("utf-8", "surrogatepass") for each in chunks]


def joined(events: Iterable[bytes], assembler: Any = None) -> dict[str, Any]:
    """What the events say, each parsed by itself."""
    parts = assembler or Assembler()
    for each in events:
        for frame in sse.frames(each):
            data = sse.data_of(frame)
            if data is not None and data.strip().startswith(b"{"):
                parts.add(engine_json.read(data))
    found: dict[str, Any] = well_formed(parts.answer())
    return found


def message_of(answer: dict[str, Any]) -> Any:
    return answer["choices"][0]["message"] if answer["choices"] else None


texts = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    [
        '"',
        "\\",
        'say "hi"',
        '\\"',
        "\n",
        "\n\n",
        "data: [DONE]",
        '"finish_reason":null',
        '"content":"',
        "日本",
        "🦊",
        "",
    ]
)
kinds = st.sampled_from(
    ["content", "content", "content", "reasoning", "reasoning_content", "mood", "arguments", "both"]
)


def delta(kind: str, text: str) -> dict[str, Any]:
    if kind == "arguments":
        return {"tool_calls": [{"index": 0, "function": {"arguments": text}}]}
    if kind == "mood":
        return {"content": text, "mood": "calm"}
    if kind == "both":
        return {"content": text, "reasoning": "hm"}
    return {kind: text}


@given(st.lists(st.tuples(kinds, texts), max_size=30), st.randoms(), st.booleans(), st.booleans())
def test_a_chat_is_what_its_chunks_say(
    pieces: list[tuple[str, str]], draw: random.Random, fast: bool, spaced: bool
) -> None:
    chunks: list[Any] = [said(delta={"role": "assistant", "content": ""})]
    for kind, text in pieces:
        chunks += [said(delta=delta(kind, text))] * draw.choice((1, 1, 2, 5))
    chunks.append(said(finish="stop"))
    events = as_events(chunks, spaced=spaced)
    way = Way(GatheredChat(LIMIT), fast=fast)
    at = 0
    while at < len(events):
        count = draw.choice((1, 1, 1, 2, 7))
        if count == 1:
            way.send(events[at])
        else:
            way.gathered.add(b"".join(events[at : at + count]))
        at += count
    assert message_of(way.gathered.answer()) == message_of(joined(events))


def test_most_chunks_cost_a_slice() -> None:
    looks = 0

    class Counted(GatheredChat):
        def _look_at(self, raw: bytes) -> None:
            nonlocal looks
            looks += 1
            super()._look_at(raw)

    way = Way(counted := Counted(LIMIT))
    words = [said(f"w{n} ") for n in range(500)]
    way.send(*as_events([said(delta={"role": "assistant", "content": ""}), *words, said(finish="stop")]))
    assert way.short == 500
    assert looks == 2, "the first, and the second, from which on it is known that they are alike"
    assert message_of(counted.answer())["content"] == "".join(f"w{n} " for n in range(500))


def test_the_events_of_a_read_cost_one_look() -> None:
    looks = 0

    class Counted(GatheredChat):
        def _add_event(self, event: bytes) -> None:
            nonlocal looks
            looks += 1
            super()._add_event(event)

    words = [f"w{n} " for n in range(500)]
    events = as_events([said(delta={"role": "assistant", "content": ""}), *map(said, words), said(finish="stop")])
    counted = Counted(LIMIT)
    counted.add(b"".join(events))
    counted.add(b"data: [DONE]\n\n")
    assert looks == 5, "the first, two texts, the finish and what comes by itself"
    assert message_of(counted.answer())["content"] == "".join(words)


@table("between", [b": ping\n\n", b"\n", b"\n\n", b"\n\n\n", b"data: {}\n\n", b"data: {}\r\n\r\n"])
def test_what_stands_between_the_events_of_a_read_loses_none(between: bytes) -> None:
    events = as_events(said(text) for text in ("a", "b", "c", "d", "e", 'say "f"', "g", "h"))
    for at in range(len(events) + 1):
        whole = b"".join([*events[:at], between, *events[at:]])
        gathered = GatheredChat(LIMIT)
        gathered.add(whole)
        assert message_of(gathered.answer()) == message_of(joined(events)), at


def test_an_escaped_quote_ends_no_run() -> None:
    way = Way(GatheredChat(LIMIT))
    events = as_events([said(text) for text in ("a", "b", 'say "', "c", '"\\"', "d", "e" * 300, "f")])
    way.send(*events)
    assert way.short == len(events)
    assert way.gathered._run is not None
    assert message_of(way.gathered.answer()) == message_of(joined(events))


def test_halves_of_characters_meet_in_a_run() -> None:
    fox, rest = "🦊".encode(), as_events([said("a"), said("b")])
    halves = [rest[0].replace(b'"a"', b'"%b"' % half) for half in (fox[:2], fox[2:], b"\\ud83e", b"\\udd8a")]
    way = Way(GatheredChat(LIMIT))
    way.send(*rest, *halves)
    assert message_of(way.gathered.answer())["content"] == "ab🦊🦊"


@table("half", ["\\ud83e", "\\ud83e\\", "\\u30", "\\", "日".encode()[:2].decode("latin-1")])
def test_what_is_not_whole_at_the_end_is_cut_off(half: str) -> None:
    plain = as_events([said("a"), said("b")])
    way = Way(GatheredChat(LIMIT), fast=False)
    way.send(*plain)
    run = way.gathered._run
    assert run is not None
    way.gathered._continue(run, half.encode("latin-1"))
    assert message_of(way.gathered.answer())["content"] == "ab"


def test_a_backslash_that_escapes_nothing_is_one() -> None:
    events = [each.replace(b"x", b"\\x\\u12") for each in as_events([said("x"), said("y"), said("x"), said("y")])]
    way = Way(GatheredChat(LIMIT))
    way.send(*events)
    assert message_of(way.gathered.answer())["content"] == "\\x\\u12y\\x\\u12y"


def test_a_long_answer_is_parsed_as_it_comes_and_whole_at_every_seam() -> None:
    gathered = GatheredChat(1 << 30)
    way = Way(gathered)
    text = "日本語🦊"
    pieces = [said(text[n % 4 :]) for n in range(3 * FOLD_TEXT_BYTES // 10)]
    events = as_events(pieces)
    for n in range(0, len(events), 1000):
        way.send(*events[n : n + 1000])
        while gathered.settle():
            pass
        assert gathered._run is not None
        assert len(gathered._run.text) <= FOLD_TEXT_BYTES
        assert gathered._quick == b""
    assert way.short == len(events)
    content = message_of(gathered.answer())["content"]
    assert content == "".join(text[n % 4 :] for n in range(len(pieces)))


@pytest.mark.parametrize("fast", [True, False])
def test_beyond_its_limit_nothing_more_is_gathered(fast: bool) -> None:
    way = Way(gathered := GatheredChat(200_000), fast=fast)
    for _ in range(1000):
        way.send(*as_events([said("x" * 1000)]))
        gathered.settle()
    way.send(*as_events([said(finish="stop")]))
    assert gathered.over
    content = message_of(gathered.answer())["content"]
    assert 190_000 < len(content) < 200_000 + 2 * FOLD_TEXT_BYTES
    assert set(content) == {"x"}


def test_log_probabilities_are_not_kept() -> None:
    def with_odds(n: int) -> Any:
        return said(f"{n} ", logprobs={"content": [{"token": f"{n} ", "logprob": -n / 7}]})

    way = Way(gathered := GatheredChat(LIMIT))
    way.send(*as_events(with_odds(n) for n in range(300)))
    choice = gathered.answer()["choices"][0]
    assert choice["message"]["content"] == "".join(f"{n} " for n in range(300))
    assert not choice.get("logprobs")


def test_an_answer_can_be_taken_at_any_moment() -> None:
    assert GatheredChat(LIMIT).answer()["choices"] == []
    for kind in (GatheredMessage, GatheredResponse):
        with pytest.raises(ValueError, match="without"):
            kind(LIMIT).answer()
