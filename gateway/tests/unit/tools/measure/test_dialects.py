"""Streams are read the same however their bytes arrive."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.measure.dialects import AnswerReader, ChatReader, GenerateReader, message_of, request_of
from tests.support.engine_script import DONE, Chat, Request, frame
from tests.support.tables import table

ASKED = Request("POST", "/v1/chat/completions", body=b'{"stream":true,"stream_options":{"include_usage":true}}')
CHAT = b"".join(Chat(("こん", "にち", "は😀"), prompt_tokens=5).frames(ASKED))
HAYATE = (
    b"retry: 3000\n\n: ping\n"
    + b"".join(frame({"delta": text}) for text in ("こん", "にちは"))
    + frame({"finish_reason": "stop", "usage": {"prompt_tokens": 5, "completion_tokens": 3}, "model": "m"}, "done")
)
PLAIN = "data: こん\n\ndata: にちは\n\ndata: \n\n\n\ndata: 。\n\n".encode()


def read(reader: AnswerReader, data: bytes, size: int | None = None) -> AnswerReader:
    for start in range(0, len(data), size or len(data) or 1):
        reader.feed(data[start : start + (size or len(data))])
    reader.end()
    return reader


def seen(reader: AnswerReader) -> tuple[Any, ...]:
    failure = reader.failure.reason if reader.failure else None
    return reader.deltas, reader.chars, reader.output_tokens, reader.prompt_tokens, reader.finish_reason, failure


@table("size", range(1, 60))
def test_what_is_read_does_not_depend_on_how_bytes_arrive(size: int) -> None:
    assert seen(read(ChatReader(), CHAT, size)) == (3, 6, 3, 5, "stop", None)
    assert seen(read(GenerateReader(), HAYATE, size)) == (2, 5, 3, 5, "stop", None)
    assert seen(read(GenerateReader(), PLAIN, size)) == (3, 6, None, None, None, None)


def test_feeding_says_whether_there_was_new_output() -> None:
    reader = ChatReader()
    role, first, *_ = Chat(("こん",)).frames(ASKED)
    assert not reader.feed(role)
    assert not reader.feed(first[:-1])
    assert reader.feed(first[-1:])
    assert not reader.feed(b": ping\n")


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "あ"},
        {"reasoning": "あ"},
        {"reasoning_content": "あ"},
        {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": ""}}]},
    ],
)
def test_text_reasoning_and_tool_calls_are_all_output(delta: dict[str, Any]) -> None:
    data = frame({"choices": [{"delta": delta, "finish_reason": "stop"}]}) + DONE
    assert seen(read(ChatReader(), data))[:2] == (1, 1)


@table(
    ("data", "reason"),
    [
        (frame({"choices": [{"delta": {"content": "あ"}}]}), "cut"),
        (frame({"error": {"message": "the engine died"}}) + DONE, "error_event"),
        (b"data: {oops\n\n", "bad_event"),
        (b"data: [1]\n\n", "bad_event"),
        (frame({"choices": [7]}), "bad_event"),
        (DONE, "cut"),
        (frame({"choices": [{"delta": {"content": "あ"}}]}) + DONE, "cut"),
        (frame({"choices": [{"delta": {}, "finish_reason": "stop"}]}), "empty"),
        (frame({"choices": [{"delta": {}, "finish_reason": "stop"}]}) + DONE, "empty"),
        (b'{"choices":[{"message":{"content":"whole"}}]}', "not_a_stream"),
        (b"", "not_a_stream"),
        (frame({"choices": [{"delta": {"content": "あ"}, "finish_reason": "abort"}]}) + DONE, "aborted"),
    ],
)
def test_an_openai_stream_that_is_not_a_whole_answer_is_a_failure(data: bytes, reason: str) -> None:
    assert seen(read(ChatReader(), data))[-1] == reason


@table(
    "data",
    [
        frame({"text": "あ"}) + frame({"token": "い"}) + frame({"done": True}),
        frame({"content": "あ"}) + frame({"response": "い", "done": True}),
        frame({"choices": [{"delta": {"content": "あ"}}]}) + frame({"choices": [{"text": "い"}]}) + DONE,
        "data: あ\r\n\r\ndata: い\r\n\r\ndata: [DONE]\r\n\r\n".encode(),
        "data: あ\n\ndata: い\n\nevent: end\ndata: bye\n\n".encode(),
        "event: token\ndata: あ\n\nevent: ping\ndata: 1\n\nevent: token\ndata: い\n\n".encode(),
        "data: あ\n\ndata: い".encode(),
        b"data: 1\n\ndata: {\n\n",
    ],
)
def test_old_services_are_read_as_they_are(data: bytes) -> None:
    assert seen(read(GenerateReader(), data))[:2] == (2, 2)
    assert read(GenerateReader(), data).failure is None


@table(
    ("data", "reason", "detail"),
    [
        (frame({"error": {"message": "まだ読み込み中"}}, "error"), "error_event", "まだ読み込み中"),
        (b"event: error\ndata: out of memory\n\n", "error_event", "out of memory"),
        (frame({"error": "CUDA"}), "error_event", "CUDA"),
        (b'{"detail":"x"}', "not_a_stream", ""),
        (b"data: [DONE]\n\n", "empty", ""),
        (frame({"choices": [7]}), "bad_event", "{'choices': [7]}"),
    ],
)
def test_errors_of_old_services_are_failures_with_what_they_said(data: bytes, reason: str, detail: str) -> None:
    failure = read(GenerateReader(), data).failure
    assert failure is not None
    assert (failure.reason, failure.detail) == (reason, detail)


@given(st.binary(max_size=400), st.sampled_from([ChatReader, GenerateReader]))
def test_no_bytes_make_a_reader_raise(data: bytes, reader: type[AnswerReader]) -> None:
    read(reader(), b"data: " + data + b"\n\n")
    read(reader(), data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "delta", "content", "usage", "error", "tool_calls", "function", "text"]), inner
        )
    ),
    max_leaves=12,
)


@given(JSON, st.sampled_from([ChatReader, GenerateReader]))
def test_no_json_makes_a_reader_raise(value: Any, reader: type[AnswerReader]) -> None:
    read(reader(), b"data: " + orjson.dumps(value) + b"\n\n")


def test_a_prompt_travels_in_the_query_whatever_it_holds() -> None:
    prompt = "改行\nと & と = と # と 100% と +"
    request = request_of("generate_stream", ({"role": "user", "content": prompt},), None, 8, 0.5)
    assert request.method == b"GET"
    assert request.path.isascii()
    assert not set(" \n#&+") & set(request.path.partition("&")[0].partition("?")[2].replace("&", ""))
    assert request.path.endswith("&max_tokens=8&temperature=0.5")


def test_only_what_is_set_is_sent() -> None:
    asked = orjson.loads(request_of("openai", ({"role": "user", "content": "x"},), None, 8, None).body)
    assert set(asked) == {"messages", "stream", "stream_options", "max_tokens"}


@table(
    ("value", "text"),
    [
        ({"error": {"message": "a"}}, "a"),
        ({"detail": "b"}, "b"),
        ({"error": "c"}, "c"),
        ({"detail": [{"loc": ["x"]}]}, '[{"loc":["x"]}]'),
        ("d", "d"),
    ],
)
def test_the_sentence_is_taken_out_of_an_error(value: Any, text: str) -> None:
    assert message_of(value) == text
