"""Streams of /v1/responses and /v1/messages pass untouched, and are read only for their end and their counts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import UpstreamBroke
from hayate.wire.relay_stream import RawStream, RelayedStream


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


@pytest.mark.parametrize("events", [MESSAGES, RESPONSES], ids=["messages", "responses"])
@pytest.mark.parametrize("size", [1, 2, 7, 50, 10_000])
def test_every_event_passes_byte_for_byte(events: list[bytes], size: int) -> None:
    whole = b"".join(events)
    stream = RelayedStream()
    sent = b"".join(stream.feed(whole[n : n + size]) for n in range(0, len(whole), size)) + stream.end()
    assert sent == whole
    assert (stream.finished, stream.failure, stream.spoke) == (True, None, True)
    assert stream.usage.exact


def test_counts_and_reasons_are_read() -> None:
    stream = RelayedStream()
    stream.feed(b"".join(MESSAGES))
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (53, 4)
    assert stream.finish_reason == "end_turn"
    stream = RelayedStream()
    stream.feed(b"".join(RESPONSES))
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (9, 2)
    assert stream.finish_reason == "response.completed"


@pytest.mark.parametrize("events", [MESSAGES, RESPONSES], ids=["messages", "responses"])
def test_a_stream_without_its_last_event_is_broken(events: list[bytes]) -> None:
    for kept in range(len(events)):
        stream = RelayedStream()
        for each in events[:kept]:
            stream.feed(each)
        assert stream.end() == b""
        assert isinstance(stream.failure, UpstreamBroke)


@pytest.mark.parametrize(
    "last",
    [
        b"data: [DONE]\n\n",
        named("response.failed", response={"error": {"code": "server_error"}}),
        named("response.incomplete", response={}),
        named("error", error={"type": "overloaded_error", "message": "busy"}),
    ],
)
def test_the_dialects_own_ways_to_end_are_ends(last: bytes) -> None:
    stream = RelayedStream()
    assert stream.feed(RESPONSES[0] + last) == RESPONSES[0] + last
    stream.end()
    assert stream.failure is None


@given(st.binary(max_size=60))
def test_bytes_that_are_no_events_raise_nothing(junk: bytes) -> None:
    stream = RelayedStream()
    sent = stream.feed(b'data: "usage" ' + junk + b"\n\n")
    assert sent.startswith(b'data: "usage" ')


@pytest.mark.parametrize("value", ["7", "null", '["usage"]', '{"usage":3,"delta":"x","type":4,"message":[1]}'])
def test_events_of_an_unknown_shape_raise_nothing(value: str) -> None:
    stream = RelayedStream()
    event = f'data: {value}\n: "usage"\n\n'.encode()
    assert stream.feed(event) == event


def test_a_body_that_is_no_event_stream_passes_as_it_is() -> None:
    stream = RawStream()
    assert stream.feed(b"\x00\xff\n\n") == b"\x00\xff\n\n"
    assert stream.end() == b""
    assert (stream.failure, stream.spoke) == (None, True)
