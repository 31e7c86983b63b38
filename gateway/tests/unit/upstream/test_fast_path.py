"""The fast path takes a chunk exactly when it is one plain event that differs from the shape in its text alone."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hayate.upstream.fast_path import FastPath
from hayate.wire.plain_event import Reader, Shape
from tests.support.tables import table
from tests.unit.wire.test_plain_event import event, shape_of

BEFORE = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"'
AFTER = b'"},"logprobs":null,"finish_reason":null}]}\n\n'


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


class Nothing:
    """A decoder to which no event is plain."""

    between_events = True

    def plain_shape(self, event: bytes) -> Shape | None:
        assert b"\r\n" not in event
        return None


class Everything:
    between_events = True

    def plain_shape(self, event: bytes) -> Shape | None:
        return shape_of(event)


class Taking(FastPath):
    """One at a chunk's beginning, and what it leaves over."""

    def __init__(self, decoder: Reader) -> None:
        super().__init__()
        self.left: list[bytes] = []
        self.written: list[bytes] = []
        self._begins_chunk(at_chunk=True)
        self.open_fast_path(decoder, self.written.append)

    def _read(self, data: bytes) -> None:
        self.left.append(data)

    def takes(self, data: bytes) -> bool:
        """Whether it passes; what it leaves over must be what it was offered."""
        self.left.clear()
        self.data_received(data)
        assert self.left in ([], [data])
        return not self.left


def fast_path() -> Taking:
    """One that has seen the shape, whose decoder lets nothing else pass."""
    made = Taking(Everything())
    assert made.takes(chunk(BEFORE + b"first" + AFTER))
    made._decoder = Nothing()
    made.written.clear()
    made.passed = 0
    return made


@given(st.text().map(lambda text: json.dumps(text, ensure_ascii=False)[1:-1].encode("utf-8", "replace")))
@example(b"")
@example(b"\\\\")
@example(b"x" * 3000)
def test_a_chunk_of_the_shape_passes_unless_its_text_holds_a_quote_or_is_long(text: bytes) -> None:
    taker = fast_path()
    whole = chunk(BEFORE + text + AFTER)
    passes = b'"' not in text and len(whole) < 2048
    assert taker.takes(whole) is passes
    assert taker.written == ([whole] if passes else [])
    assert taker.passed == len(taker.written)


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
    taker = fast_path()
    assert not taker.takes(bytes(whole))
    assert not taker.written


@table(
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
    taker = fast_path()
    assert not taker.takes(odd)
    assert not taker.written


@table("end", [b"\n\n\r", b"\n\n", b"\n\nXX", b"\n\r\n\r\n", b"\n\n\r\n\r\n"])
def test_an_event_of_another_shape_must_be_a_whole_chunk_too(end: bytes) -> None:
    whole = chunk(BEFORE + b"a" + AFTER)
    taker = Taking(Everything())
    assert not taker.takes(whole.removesuffix(b"\n\n\r\n") + end)
    assert not taker.takes(b"1" + whole)
    assert taker.takes(whole)


def test_nothing_passes_inside_a_chunk_or_once_the_path_is_closed() -> None:
    taker = fast_path()
    whole = chunk(BEFORE + b"a" + AFTER)
    taker._begins_chunk(at_chunk=False)
    assert not taker.takes(whole)
    taker._begins_chunk(at_chunk=True)
    assert taker.takes(whole)
    taker.close_fast_path()
    assert not taker.takes(whole)
    taker._begins_chunk(at_chunk=True)
    assert not taker.takes(whole)
    assert taker.written == [whole]
    assert taker.passed == 1


def test_nothing_passes_that_the_decoder_does_not_find_plain() -> None:
    taker = Taking(Nothing())
    for read in (chunk(BEFORE + b"a" + AFTER), b"", chunk(b"\n\n"), chunk(BEFORE)):
        assert not taker.takes(read)
    assert not taker.written


def test_nothing_passes_while_the_decoder_waits_for_the_end_of_an_event() -> None:
    taker, whole = fast_path(), chunk(BEFORE + b"a" + AFTER)
    waiting = Everything()
    waiting.between_events = False
    taker._decoder = waiting
    taker._begins_chunk(at_chunk=True)
    assert not taker.takes(whole)
    waiting.between_events = True
    taker._begins_chunk(at_chunk=True)
    assert taker.takes(whole)


@pytest.mark.parametrize(("text", "lasting"), [("hi", True), ('say "hi"', False), ("\\", False), ("\\ a", True)])
def test_a_shape_that_holds_a_part_of_the_text_is_not_kept(text: str, lasting: bool) -> None:
    taker = Taking(Everything())
    assert taker.takes(chunk(event(text)))
    assert (taker._before != b"") is lasting
