"""What a plain event is, and what is the same in all of its shape."""

from __future__ import annotations

import json

from hayate.wire.openai_stream import OpenAIStream
from hayate.wire.plain_event import Shape, text_in
from tests.support.tables import table


def shape_of(event: bytes) -> Shape | None:
    """As a decoder finds it to which all events with a text are plain."""
    found = text_in(event)
    if found is None:
        return None
    start, end = found
    return Shape(event[:start], event[end:], lasts=event[end - 1 : end] != b"\\")


@table("key", ["content", "text", "reasoning", "reasoning_content", "arguments"])
def test_the_shape_is_what_stands_around_the_text(key: str) -> None:
    whole = b'data: {"a":{"%b":"hi"},"b":"c"}\n\n' % key.encode()
    found = text_in(whole)
    assert found is not None
    assert whole[slice(*found)] == b"hi"


@table(
    "event",
    [
        b'data: {"delta":{"content":""}}\n\n',
        b'data: {"delta":{"content":null}}\n\n',
        b'data: {"delta":{"content":"never ends',
        b": ping\n\n",
        b'id: 1\ndata: {"delta":{"content":"a"}}\n\n',
        b'data: {"delta":{"content":"a"}}\r\n\r\n',
        b'data: {"delta":{"content":"a"}}\n',
        b'data: {"delta":{"content":"a\n"}}\n\n',
        b'data: [{"delta":{"content":"a"}}]\n\n',
    ],
)
def test_a_text_that_can_not_be_told_apart_has_no_shape(event: bytes) -> None:
    assert text_in(event) is None


def test_an_empty_text_beside_the_real_one_is_not_taken_for_it() -> None:
    whole = b'data: {"delta":{"content":"","reasoning":"hm"}}\n\n'
    found = text_in(whole)
    assert found is not None
    assert whole[slice(*found)] == b"hm"


@table(
    ("text", "lasting"),
    [("hi", True), ('say "hi"', False), ("\\n", True), ("a\n", True), ("\\", False), ("\\ a", True)],
)
def test_a_shape_that_holds_a_part_of_the_text_does_not_last(text: str, lasting: bool) -> None:
    whole = event(text)
    shape = shape_of(whole)
    assert shape is not None
    assert shape.lasts is lasting


def event(text: str, reason: str | None = None) -> bytes:
    fields = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason}]}
    return b"data: " + json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def event_of(text: str) -> bytes:
    """With escapes for what is not ASCII."""
    return b'data: {"choices":[{"delta":{"content":%b},"finish_reason":null}]}\n\n' % json.dumps(text).encode()


def finds_plain(stream: OpenAIStream, event: bytes) -> bool:
    return stream.plain_shape(event) is not None


def test_the_decoder_finds_whole_events_of_text_plain_and_no_others() -> None:
    stream = OpenAIStream(keep_usage=False)
    plain = event("text")
    assert not finds_plain(stream, event(""))
    assert not finds_plain(stream, plain.replace(b'"delta"', b'"error":{},"delta"'))
    assert not stream.has_output
    assert finds_plain(stream, plain)
    assert stream.has_output
    for text in ("usage", "error", "finish_reason", "\\", "data: [DONE]\n\n", "\ud800"):
        assert finds_plain(stream, event_of(text)), text
    assert finds_plain(stream, event('a "quote" and "finish_reason":null'))
    for other in (
        event(""),
        event("", "stop"),
        event("text", "stop"),
        plain + plain,
        plain[:-1],
        b"",
        b": ping\n\n",
        b"data: [DONE]\n\n",
        b'data: {"finish_reason":null,"usage":{}}\n\n',
        plain.replace(b"\n\n", b"\r\n\r\n"),
    ):
        assert not finds_plain(stream, other), other
    stream.feed(plain[:10])
    assert not finds_plain(stream, plain), "the end of an event that has begun"


def test_several_choices_pass_unread_never() -> None:
    stream = OpenAIStream(keep_usage=False, choices=2)
    for text in "abc":
        stream.feed(event(text))
    assert not finds_plain(stream, event("d"))


def test_the_texts_of_the_first_events_are_found_in_one_go() -> None:
    shape = shape_of(event("a"))
    assert shape is not None
    run, last = b"".join(map(event, ("a", "", "bc", "日本"))), event("", "stop") + b"data: [DONE]\n\n"
    assert shape.first_said_in(run) == ("abc日本".encode(), len(run))
    assert shape.first_said_in(run + last) == ("abc日本".encode(), len(run))
    assert shape.said_in(event("bc")) == b"bc"
    for other in (last, last + run, event("a") + event('say "b"') + event("c"), event("a") + b"\n" + event("b"), b""):
        assert shape.first_said_in(other) == (b"", 0), other
    assert shape.said_in(run) is None
