"""What the benchmark calls a whole answer."""

from __future__ import annotations

import json

import pytest
from bench.dialogue import (
    TOKEN_MARK,
    Asked,
    answer_text,
    closing_frames,
    complaint_about,
    parse_asked,
    plain_answer,
    stream_answer,
    token_frames,
)

from tests.support.tables import table

STREAM = Asked(stream=True, tokens=5, rate=100.0)
PLAIN = Asked(stream=False, tokens=5)


@table("tokens", [1, 2, 64])
@table("usage", [True, False])
def test_a_stream_is_valid_json_events_exactly_counted(tokens: int, usage: bool) -> None:
    events = stream_answer(tokens, usage).split(b"\n\n")

    assert events.pop() == b""
    assert events.pop() == b"data: [DONE]"
    assert len(events) == tokens + 1 + usage
    parsed = [json.loads(event.removeprefix(b"data: ")) for event in events]
    assert {each["object"] for each in parsed} == {"chat.completion.chunk"}
    texts = [choice["delta"].get("content", "") for each in parsed for choice in each["choices"]]
    assert "".join(texts) == answer_text(tokens)
    assert parsed[tokens]["choices"][0]["finish_reason"] == "length"
    assert ("usage" in parsed[-1]) is usage


def test_a_token_event_is_about_200_bytes_and_carries_the_mark_once() -> None:
    frames = token_frames(64)

    assert all(180 <= len(frame) <= 240 and frame.count(TOKEN_MARK) == 1 for frame in frames)
    assert not any(TOKEN_MARK in frame for frame in closing_frames(64, True))
    assert len(set(frames)) == 64


@pytest.mark.parametrize("asked", [STREAM, PLAIN, Asked(stream=True, usage=False), Asked(stream=True, rate=3.2)])
def test_a_request_survives_being_serialised_again(asked: Asked) -> None:
    fields = json.loads(asked.body())
    again = json.dumps(fields, separators=(",", ":"), sort_keys=True).encode()

    for body in (asked.body(), again):
        found = parse_asked(body)
        assert found is not None
        assert (found.stream, found.tokens, found.rate) == (asked.stream, asked.tokens, asked.rate)
        assert found.usage is (asked.stream and asked.usage)


def test_an_answer_in_other_bytes_is_whole_when_it_says_the_same() -> None:
    events = stream_answer(5).split(b"\n\n")[:-2]
    spaced = [b"data: " + json.dumps(json.loads(event.removeprefix(b"data: "))).encode() for event in events]
    body = b": ping\n" + b": of an engine\n\n" + b"\n\n".join([*spaced, b"data: [DONE]"]) + b"\n\n"

    assert body != stream_answer(5)
    assert complaint_about(STREAM, body) is None
    assert complaint_about(PLAIN, json.dumps(json.loads(plain_answer(5))).encode()) is None


@table(
    ("frames", "complaint"),
    [
        ([*token_frames(5), *closing_frames(5, True)[:-1]], "did not end with [DONE]"),
        ([*token_frames(5)[:3], *token_frames(5)[4:], *closing_frames(5, True)], "4 of 5 events"),
        ([*token_frames(5)[::-1], *closing_frames(5, True)], "another text"),
        ([*token_frames(5), *closing_frames(5, False)], "usage missing or wrong"),
        ([*token_frames(5), closing_frames(5, True)[1], b"data: [DONE]\n\n"], "finish_reason None"),
        ([token_frames(5)[0], b'data: {"error":{"message":"x"}}\n\n', b"data: [DONE]\n\n"], "an error event"),
        ([b"data: <html>\n\n", b"data: [DONE]\n\n"], "not a chat answer (JSONDecodeError)"),
        ([], "did not end with [DONE]"),
    ],
)
def test_what_is_wrong_with_an_answer_is_named(frames: list[bytes], complaint: str) -> None:
    assert complaint_about(STREAM, b"".join(frames)) == complaint
