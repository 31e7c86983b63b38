"""The short way takes a chunk exactly when it is one plain event that differs from the shape in its text alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hayate.wire.lane import Lane, Shape, shape_of
from hayate.wire.openai_stream import OpenAIStream

BEFORE = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"'
AFTER = b'"},"logprobs":null,"finish_reason":null}]}\n\n'


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


class Decoder:
    def __init__(self, shape: Shape | None) -> None:
        self.shape = shape


def lane(shape: Shape | None) -> tuple[Lane, list[bytes]]:
    written: list[bytes] = []
    return Lane(Decoder(shape), written.append), written


SHAPE = shape_of(BEFORE + b"x" + AFTER)


@given(st.text().map(lambda text: json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "replace")))
@example(b"")
@example(b"\\\\")
@example(b"x" * 3000)
def test_a_chunk_of_the_shape_passes_unless_its_text_holds_a_quote_or_is_long(text: bytes) -> None:
    taker, written = lane(SHAPE)
    whole = chunk(BEFORE + text + AFTER)
    passes = b'"' not in text and len(whole) < 2048
    assert taker.take(whole) is passes
    assert written == ([whole] if passes else [])
    assert taker.passed == len(written)


@given(st.data())
def test_whatever_else_the_bytes_are_they_do_not_pass(data: st.DataObject) -> None:
    """One byte more, less or different anywhere but in the text, the framing included."""
    whole = bytearray(chunk(BEFORE + b"text" + AFTER))
    text_at = whole.index(b"text")
    at = data.draw(st.integers(0, len(whole) - 1).filter(lambda at: not text_at <= at < text_at + 4))
    match data.draw(st.sampled_from(["change", "drop", "add"])):
        case "change":
            whole[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
        case "drop":
            del whole[at]
        case _:
            whole.insert(at, data.draw(st.integers(0, 255)))
    taker, written = lane(SHAPE)
    assert not taker.take(bytes(whole))
    assert not written


@pytest.mark.parametrize(
    "odd",
    [
        b"",
        b"\r\n",
        b"0\r\n\r\n",
        chunk(BEFORE + AFTER[1:]),
        chunk(BEFORE + b"a" + AFTER) + chunk(BEFORE + b"b" + AFTER),
        chunk(BEFORE + b"a" + AFTER + BEFORE + b"b" + AFTER),
        chunk(BEFORE + b'a"},"finish_reason":"stop","x":{"y":"' + AFTER),
        chunk(BEFORE + b"a" + AFTER)[:-2],
        BEFORE + b"a" + AFTER,
        chunk(BEFORE + b"a" + AFTER).upper(),
        b"0" + chunk(BEFORE + b"a" + AFTER),
    ],
)
def test_odd_reads_do_not_pass(odd: bytes) -> None:
    taker, written = lane(SHAPE)
    assert not taker.take(odd)
    assert not written


def test_nothing_passes_before_a_shape_is_known() -> None:
    assert not lane(None)[0].take(chunk(BEFORE + b"a" + AFTER))


@pytest.mark.parametrize("key", ["content", "text", "reasoning", "reasoning_content"])
def test_the_shape_is_what_stands_around_the_text(key: str) -> None:
    shape = shape_of(b'data: {"a":{"%b":"hi"},"b":"c"}\n\n' % key.encode())
    assert shape is not None
    assert (shape.before, shape.after) == (b'data: {"a":{"%b":"' % key.encode(), b'"},"b":"c"}\n\n\r\n')


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"delta":{"content":""}}\n\n',
        b'data: {"delta":{"content":"say \\"hi\\""}}\n\n',
        b'data: {"delta":{"content":null}}\n\n',
        b'data: {"delta":{"content":"never ends',
        b": ping\n\n",
    ],
)
def test_a_text_that_can_not_be_told_apart_has_no_shape(event: bytes) -> None:
    assert shape_of(event) is None


def test_an_empty_text_beside_the_real_one_is_not_taken_for_it() -> None:
    shape = shape_of(b'data: {"delta":{"content":"","reasoning":"hm"}}\n\n')
    assert shape is not None
    assert shape.before.endswith(b'"reasoning":"')


def event(text: str, reason: str | None = None) -> bytes:
    fields = {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": reason}]}
    return b"data: " + json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n"


def test_the_decoder_shows_the_shape_of_plain_events_only() -> None:
    stream = OpenAIStream(keep_usage=False)
    stream.feed(event("first"))
    assert stream.shape is None
    stream.feed(event("second"))
    assert stream.shape is not None
    before = stream.shape
    stream.feed(event('a "quote"'))
    stream.feed(event("", "stop"))
    assert stream.shape is before


def test_several_choices_have_no_short_way() -> None:
    stream = OpenAIStream(keep_usage=False, choices=2)
    for text in "abc":
        stream.feed(event(text))
    assert stream.shape is None
