"""Triton's events become OpenAI's, with the finish reason and the usage that it never says."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from hayate.backends.triton_stream import TritonStream
from hayate.wire import sse
from hayate.wire.chunks import ChunkWriter
from tests.support.tables import table

TEXT = "吾が社は、😀です"


def stream(*, cumulative: bool = False, stops: list[str] | None = None, max_tokens: int = 100) -> TritonStream:
    writer = ChunkWriter(answer_id="c-1", created=1, model="m", chat=True, include_usage=True)
    return TritonStream(
        writer, cumulative=cumulative, stops=stops or [], prompt="prompt", max_tokens=max_tokens, count=len
    )


def event(text: Any, **more: Any) -> bytes:
    return (
        b"data: " + json.dumps({"model_name": "m", "text_output": text, **more}, ensure_ascii=False).encode() + b"\n\n"
    )


def events(raw: bytes) -> list[Any]:
    return [json.loads(data) for frame in sse.frames(raw) if (data := sse.data_of(frame)) and data != b"[DONE]"]


def heard(decoder: TritonStream, raw: bytes) -> tuple[str, str | None]:
    raw = decoder.feed(raw) + decoder.end()
    deltas = [each["choices"][0]["delta"] for each in events(raw) if each["choices"]]
    return "".join(delta.get("content", "") for delta in deltas), decoder.finish_reason


DELTAS = b"".join(map(event, TEXT))
GROWING = b"".join(
    event(TEXT[: n + 1], finish_reason="None" if n + 1 < len(TEXT) else "stop") for n in range(len(TEXT))
)


@table("size", range(1, len(DELTAS) + 1, 7))
def test_events_do_not_depend_on_how_bytes_arrive(size: int) -> None:
    for cumulative, raw in ((False, DELTAS), (True, GROWING)):
        whole, split = stream(cumulative=cumulative), stream(cumulative=cumulative)
        expected = whole.feed(raw) + whole.end()
        got = b"".join([split.feed(raw[at : at + size]) for at in range(0, len(raw), size)]) + split.end()
        assert got == expected


def test_both_kinds_of_events_say_the_same() -> None:
    assert heard(stream(), DELTAS) == heard(stream(cumulative=True), GROWING) == (TEXT, "stop")


def test_usage_is_counted_and_a_used_up_allowance_is_length() -> None:
    decoder = stream(max_tokens=len(TEXT))
    raw = decoder.feed(DELTAS) + decoder.end()
    assert events(raw)[-1]["usage"] == {"prompt_tokens": 6, "completion_tokens": 8, "total_tokens": 14}
    assert decoder.finish_reason == "length"
    assert raw.endswith(sse.DONE)


def test_the_engine_s_own_finish_reason_wins() -> None:
    assert heard(stream(cumulative=True, max_tokens=2), event("ab", finish_reason="stop"))[1] == "stop"
    assert heard(stream(cumulative=True), event("ab", finish_reason="length"))[1] == "length"


@pytest.mark.parametrize("reason", ["timeout", "cancelled"])
def test_an_answer_that_was_given_up_is_a_failure(reason: str) -> None:
    decoder = stream(cumulative=True)
    decoder.feed(event("ab", finish_reason=reason))
    assert decoder.failure is not None
    assert reason in decoder.failure.english


@pytest.mark.parametrize("cumulative", [False, True])
def test_a_stop_string_ends_the_answer_at_once(cumulative: bool) -> None:
    decoder = stream(cumulative=cumulative, stops=["、"])
    raw = decoder.feed(GROWING if cumulative else DELTAS)
    assert raw.endswith(sse.DONE)
    assert (decoder.finished, decoder.finish_reason) == (True, "stop")
    assert heard(stream(cumulative=cumulative, stops=["、"]), GROWING if cumulative else DELTAS) == ("吾が社は", "stop")


def test_text_that_looked_like_a_stop_string_is_shown_in_the_end() -> None:
    assert heard(stream(stops=["ですよ"]), DELTAS) == (TEXT, "stop")


def test_a_character_that_is_not_whole_yet_waits() -> None:
    decoder = stream(cumulative=True)
    first = decoder.feed(event("吾\ufffd", finish_reason="None"))
    assert [each["choices"][0]["delta"].get("content") for each in events(first)] == ["", "吾"]
    assert heard(decoder, event("吾😀", finish_reason="stop")) == ("😀", "stop")
    assert heard(stream(cumulative=True), event("吾\ufffd", finish_reason="length")) == ("吾\ufffd", "length")


def test_an_error_in_the_middle_is_a_failure() -> None:
    decoder = stream()
    raw = decoder.feed(event("吾") + b'data: {"error":"boom"}\n\n' + event("never"))
    assert "never" not in raw.decode()
    assert decoder.failure is not None
    assert "boom" in decoder.failure.english
    assert decoder.end() == b""


@pytest.mark.parametrize("raw", [b"", event("吾") + b'data: {"text'], ids=["nothing", "half an event"])
def test_an_end_without_an_answer_is_too_early(raw: bytes) -> None:
    decoder = stream()
    decoder.feed(raw)
    decoder.end()
    assert decoder.failure is not None


def test_odd_events() -> None:
    assert heard(stream(), event(["a", "b"]) + event([]) + event(None)) == ("a", "stop")
    for junk in (b"data: {\n\n", b"data: <html>\n\n"):
        decoder = stream()
        decoder.feed(junk)
        assert decoder.failure is not None


@table("nothing", [b"data: null\n\n", b"data:\n\n", b"data: []\n\n", b": ping\n\n", b"\n", b"data: {}\n\n"])
def test_events_that_carry_nothing_change_no_text(nothing: bytes) -> None:
    assert heard(stream(), nothing.join(map(event, TEXT)))[0] == TEXT


@pytest.mark.parametrize("lacks", [1, 2])
def test_the_bodys_end_ends_the_last_event(lacks: int) -> None:
    assert heard(stream(), DELTAS[:-lacks]) == (TEXT, "stop")


@pytest.mark.parametrize(
    "told",
    [
        b'data: {"error":"boom"}',
        b'{"error":"boom"}\n\n',
        b'event: error\ndata: "boom"\n\n',
        b'event: error\ndata: {"message":"boom"}',
    ],
)
def test_an_error_of_any_shape_is_told_in_the_engines_words(told: bytes) -> None:
    decoder = stream()
    decoder.feed(event("a") + told)
    assert b"[DONE]" not in decoder.end()
    assert decoder.failure is not None
    assert "boom" in decoder.failure.english


def test_a_long_answer_takes_time_by_its_length() -> None:
    decoder, one = stream(max_tokens=10**9), event("word")
    began = time.process_time()
    for _ in range(30_000):
        decoder.feed(one)
    decoder.end()
    assert decoder.finished
    assert time.process_time() - began < 5.0
