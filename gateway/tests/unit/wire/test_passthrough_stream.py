"""Streams of /v1/responses and /v1/messages pass untouched, and are read only for their end and their counts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.upstream_errors import UpstreamBroke
from hayate.wire.passthrough_stream import PassthroughStream, RawStream
from tests.support.tables import table


def named(kind: str, **fields: Any) -> bytes:
    body = json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":"))
    return f"event: {kind}\ndata: {body}\n\n".encode()


MESSAGES = [
    named("message_start", message={"id": "m", "content": [], "usage": {"input_tokens": 53, "output_tokens": 0}}),
    named("content_block_start", content_block={"type": "text", "text": ""}, index=0),
    named("content_block_delta", delta={"type": "text_delta", "text": "こん"}, index=0),
    named("content_block_delta", delta={"type": "text_delta", "text": "にちは"}, index=0),
    named("content_block_stop", index=0),
    named("message_delta", delta={"stop_reason": "end_turn"}, usage={"input_tokens": 53, "output_tokens": 4}),
    named("message_stop"),
]
RESPONSES = [
    named("response.created", response={"id": "r", "output": [], "usage": None}, sequence_number=0),
    named("response.output_text.delta", content_index=0, delta="H", sequence_number=4),
    named("response.output_text.delta", content_index=0, delta="i!", sequence_number=5),
    named("response.completed", response={"id": "r", "usage": {"input_tokens": 9, "output_tokens": 2}}),
]


BOTH = pytest.mark.parametrize(
    ("path", "events"), [("/v1/messages", MESSAGES), ("/v1/responses", RESPONSES)], ids=["messages", "responses"]
)


@BOTH
@pytest.mark.parametrize("size", [1, 2, 7, 50, 10_000])
def test_every_event_passes_byte_for_byte(path: str, events: list[bytes], size: int) -> None:
    whole = b"".join(events)
    stream = PassthroughStream(path)
    sent = b"".join(stream.feed(whole[n : n + size]) for n in range(0, len(whole), size)) + stream.end()
    assert sent == whole
    assert (stream.finished, stream.failure, stream.has_output) == (True, None, True)
    assert stream.usage.exact


def test_counts_and_reasons_are_read() -> None:
    stream = PassthroughStream("/v1/messages")
    stream.feed(b"".join(MESSAGES))
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (53, 4)
    assert stream.finish_reason == "end_turn"
    stream = PassthroughStream("/v1/responses")
    stream.feed(b"".join(RESPONSES))
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (9, 2)
    assert stream.finish_reason == "response.completed"


def test_how_a_message_ended_is_no_piece_of_it() -> None:
    stream = PassthroughStream("/v1/messages")
    stream.feed(MESSAGES[2] + named("message_delta", delta={"stop_reason": "end_turn"}) + MESSAGES[-1])
    assert (stream.usage.completion_tokens, stream.finish_reason) == (1, "end_turn")


@BOTH
def test_an_answer_that_is_cut_off_has_as_many_tokens_as_deltas(path: str, events: list[bytes]) -> None:
    stream = PassthroughStream(path)
    stream.feed(b"".join(events[:-2] if path == "/v1/messages" else events[:-1]))
    stream.usage.settle(whole=False)
    assert (stream.usage.completion_tokens, stream.usage.exact) == (2, False)
    assert stream.usage.prompt_tokens == (53 if path == "/v1/messages" else 0), "only a message tells it so soon"


@table("size", [1, 50, 10_000])
@table("spaced", [False, True])
def test_deltas_are_counted_wherever_their_kind_is_written(size: int, spaced: bool) -> None:
    """vLLM writes the kind last. A text may look like anything."""
    texts = ["delta", '"delta":', 'x","type":"response.output_text.delta"', "\n\n", '{"delta": 1}']
    separators = (", ", ": ") if spaced else (",", ":")
    fields = [{"item_id": "m", "delta": text, "type": "response.output_text.delta"} for text in texts]
    told = [json.dumps(each, separators=separators) for each in fields]
    whole = b"".join(f"event: response.output_text.delta\ndata: {each}\n\n".encode() for each in told)
    stream = PassthroughStream("/v1/responses")
    for n in range(0, len(whole), size):
        stream.feed(whole[n : n + size])
    assert (stream.usage.completion_tokens, stream.has_output) == (len(texts), True)


@BOTH
def test_a_stream_without_its_last_event_is_broken(path: str, events: list[bytes]) -> None:
    for kept in range(len(events)):
        stream = PassthroughStream(path)
        for each in events[:kept]:
            stream.feed(each)
        assert stream.end() == b""
        assert isinstance(stream.failure, UpstreamBroke)


ENDS = {
    "/v1/responses": [
        b"data: [DONE]\n\n",
        named("response.completed", response={}),
        named("response.failed", response={"error": {"code": "server_error"}}),
        named("response.incomplete", response={}),
        named("response.cancelled", response={}),
        named("error", code="server_error", message="busy"),
    ],
    "/v1/messages": [named("message_stop"), named("error", error={"type": "overloaded_error", "message": "busy"})],
}


@table("lacks", [b"", b"\n", b"\n\n", b"\r\n"])
@table(("path", "last"), [(path, last) for path, each in ENDS.items() for last in each])
def test_the_dialects_own_ways_to_end_are_ends_whatever_line_end_they_lack(
    path: str, last: bytes, lacks: bytes
) -> None:
    stream = PassthroughStream(path)
    first = b": begins\n\n"
    last = last.replace(b"\n", b"\r\n") if b"\r" in lacks else last
    sent = stream.feed(first + last.removesuffix(lacks)) + stream.end()
    assert (stream.finished, stream.failure) == (True, None)
    assert sent.replace(b"\r", b"") == first + last.replace(b"\r", b"")


@table("path", ["/v1/audio/transcriptions", "/v1/audio/speech", "/v1/embeddings"])
@table(
    "last", [b"", b"data: [DONE]\n\n", named("transcript.text.done", text="a"), named("speech.audio.done"), b"data: x"]
)
def test_where_a_dialect_names_no_last_event_the_bodys_end_is_one(path: str, last: bytes) -> None:
    stream = PassthroughStream(path)
    first = named("transcript.text.delta", delta="a")
    sent = stream.feed(first + last) + stream.end()
    assert sent.startswith(first + last)
    assert (stream.finished, stream.failure) == (True, None)


@table("path", ["/v1/responses", "/v1/messages", "/v1/audio/speech"])
@table(
    "told",
    [
        b'data: {"error":{"message":"CUDA out of memory","code":500}}\n\n',
        b'event: error\ndata: {"message":"CUDA out of memory","code":500}\n\n',
    ],
)
def test_an_error_in_another_dialect_is_a_failure_with_the_engines_words(path: str, told: bytes) -> None:
    stream = PassthroughStream(path)
    assert stream.feed(b": a\n\n" + told + b"data: [DONE]\n\n") == b": a\n\n"
    assert stream.failure is not None
    assert "CUDA" in stream.failure.english


@pytest.mark.parametrize("at_once", [True, False])
def test_nothing_follows_the_dialects_own_error(at_once: bool) -> None:
    error = named("error", error={"type": "overloaded_error", "message": "busy"})
    stream = PassthroughStream("/v1/messages")
    reads = [error + MESSAGES[-1]] if at_once else [error, MESSAGES[-1]]
    assert b"".join(map(stream.feed, reads)) + stream.end() == error
    assert stream.failure is None


@given(st.binary(max_size=60))
def test_bytes_that_are_no_events_raise_nothing(junk: bytes) -> None:
    stream = PassthroughStream("/v1/responses")
    sent = stream.feed(b'data: "usage" ' + junk + b"\n\n")
    assert sent.startswith(b'data: "usage" ')


@pytest.mark.parametrize("value", ["7", "null", '["usage"]', '{"usage":3,"delta":"x","type":4,"message":[1]}'])
def test_events_of_an_unknown_shape_raise_nothing(value: str) -> None:
    stream = PassthroughStream("/v1/messages")
    event = f'data: {value}\n: "usage"\n\n'.encode()
    assert stream.feed(event) == event


def test_a_body_that_is_no_event_stream_passes_as_it_is() -> None:
    stream = RawStream()
    assert stream.feed(b"\x00\xff\n\n") == b"\x00\xff\n\n"
    assert stream.end() == b""
    assert (stream.failure, stream.has_output) == (None, True)


@pytest.mark.parametrize("size", [1, 50, 10_000])
def test_the_number_of_the_next_event_is_known(size: int) -> None:
    for path, events, number in (("/v1/responses", RESPONSES[:3], 6), ("/v1/messages", MESSAGES, 0)):
        stream, whole = PassthroughStream(path), b"".join(events)
        assert stream.next_number == 0
        for n in range(0, len(whole), size):
            stream.feed(whole[n : n + size])
        stream.feed(b": ping\n\n")
        assert stream.next_number == number
