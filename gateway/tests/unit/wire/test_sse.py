"""Events come out whole, however their bytes arrived."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.upstream_errors import UpstreamBroke
from hayate.wire import sse
from hayate.wire.sse import FrameSplitter
from tests.support.quick import slow
from tests.support.tables import table

STREAM = (
    ': ping\n\ndata: {"delta":"こん"}\n\nid: 7\nevent: done\ndata: {"text":"にちは。😀"}\n\nretry: 3000\n\ndata: [DONE]\n\n'
).encode()
EVENTS = [each + b"\n\n" for each in STREAM.split(b"\n\n")[:-1]]


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[n : n + size] for n in range(0, len(data), size)]


@table("size", range(1, len(STREAM) + 1))
def test_events_do_not_depend_on_how_bytes_arrive(size: int) -> None:
    splitter = FrameSplitter()

    fed = [splitter.feed(piece) for piece in pieces(STREAM, size)]

    assert b"".join(fed) == STREAM
    assert [frame for whole in fed for frame in sse.frames(whole)] == EVENTS
    assert not splitter.tail


@table("size", range(1, len(STREAM) + 1, 3))
def test_line_ends_of_crlf_are_the_same_to_us(size: int) -> None:
    stream = STREAM.replace(b"\n", b"\r\n")
    splitter = FrameSplitter()

    fed = [splitter.feed(piece) for piece in pieces(stream, size)]

    assert b"".join(fed) == stream
    frames = [frame for whole in fed for frame in sse.frames(whole)]
    assert [sse.data_of(frame) for frame in frames] == [sse.data_of(frame) for frame in EVENTS]


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_nothing_is_lost_doubled_or_cut_in_any_bytes(chunks: list[bytes]) -> None:
    splitter = FrameSplitter()

    fed = [splitter.feed(chunk) for chunk in chunks]

    assert b"".join(fed) + splitter.tail == b"".join(chunks)
    assert all(not whole or whole.endswith((b"\n\n", b"\n\r\n")) for whole in fed)
    assert all(b"".join(sse.frames(whole)) == whole for whole in fed)


@given(st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b"data: x", b":"]), max_size=30), st.integers(1, 8))
def test_the_way_bytes_were_cut_changes_no_event(parts: list[bytes], size: int) -> None:
    stream = b"".join(parts)
    at_once, in_pieces = FrameSplitter(), FrameSplitter()

    whole = at_once.feed(stream)
    cut = b"".join(in_pieces.feed(piece) for piece in pieces(stream, size))

    def events(data: bytes) -> list[bytes]:  # without further empty lines, which end nothing
        return [each for each in sse.frames(data) if each.strip()]

    assert events(cut) == events(whole)


def test_a_read_that_ends_with_an_event_is_passed_on_uncopied() -> None:
    read = b"data: 1\n\ndata: 2\n\n"
    assert FrameSplitter().feed(read) is read


def test_an_event_without_an_end_is_given_up_before_it_fills_the_memory() -> None:
    splitter = FrameSplitter()
    splitter.feed(b"x" * sse.MAX_FRAME_BYTES)
    with pytest.raises(UpstreamBroke, match="without an end"):
        splitter.feed(b"x")


@table(
    ("frame", "data"),
    [
        (b"data: one\n\n", b"one"),
        (b"data:one\n\n", b"one"),
        (b"data:  two spaces\n\n", b" two spaces"),
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b"id: 3\r\ndata: x\r\n\r\n", b"x"),
        (b"data\n\n", None),
        (b": comment\n\n", None),
        (b"event: done\n\n", None),
        (b"data:\n\n", b""),
    ],
)
def test_the_data_of_an_event(frame: bytes, data: bytes | None) -> None:
    assert sse.data_of(frame) == data


def test_the_name_of_an_event() -> None:
    assert sse.event_of(b"event: done\ndata: {}\n\n") == b"done"
    assert sse.event_of(b"data: {}\n\n") == b"message"


def test_an_event_is_written_as_eventsource_reads_it() -> None:
    written = sse.render(b'{"a":1}', event="done", event_id="call-2")
    assert written == b'id: call-2\nevent: done\ndata: {"a":1}\n\n'
    assert (sse.data_of(written), sse.event_of(written)) == (b'{"a":1}', b"done")
    assert sse.render(b"{}") == b"data: {}\n\n"


@table(("rest", "frames"), [
    (b"", []), (b"\n", []), (b"\r\n", []), (b" \n", []),
    (b"data: a", [b"data: a\n\n"]), (b"data: a\n", [b"data: a\n\n"]), (b"data: a\r\n", [b"data: a\r\n\n"]),
    (b"data: a\r\n\r", [b"data: a\r\n\n"]), (b"id: 1\ndata: a", [b"id: 1\ndata: a\n\n"]),
    (b"data: a\r\rdata: b\r\r", [b"data: a\n\n", b"data: b\n\n"]),
    (b"data: {}\ndata: [DONE]\n", [b"data: {}\n\n", b"data: [DONE]\n\n"]),
    (b"data: {\ndata: }\n", [b"data: {\ndata: }\n\n"]),
])  # fmt: skip
@table("size", [1, 3, 100])
def test_the_bodys_end_ends_what_waits_whatever_line_end_it_lacks(rest: bytes, frames: list[bytes], size: int) -> None:
    splitter = FrameSplitter()
    fed = b"".join(splitter.feed(piece) for piece in pieces(b": a\n\n" + rest, size))
    assert (fed.rstrip(), splitter.rest(), splitter.rest()) == (b": a", frames, [])


@pytest.mark.parametrize(
    ("unit", "size"),
    [
        *((unit, size) for unit in (b"x", b"\n:", b"\r", b"data:\n", b'"\\"') for size in (1000, 1 << 18)),
        (b"data:\n", 1),  # what takes the most pieces, and has the most lines
        *slow((b"data:\n", 2), *((unit, size) for unit in (b"x", b"\n:", b"\r", b'"\\"') for size in (1, 2))),
    ],
)
def test_an_event_of_megabytes_takes_time_by_its_length_however_it_comes(unit: bytes, size: int) -> None:
    whole = b"data: " + unit * (500_000 // len(unit)) + b"x\n\n"
    splitter = FrameSplitter()
    began = time.process_time()
    fed = b"".join(splitter.feed(piece) for piece in pieces(whole, size))
    assert fed == whole
    for frame in sse.frames(fed):
        try:
            sse.data_of(frame)
        except UpstreamBroke:
            pass
    assert time.process_time() - began < 5.0


@pytest.mark.parametrize("size", [1000, 1 << 16, 1 << 20])
def test_an_event_is_too_long_by_its_bytes_not_by_how_they_came(size: int) -> None:
    longest = b"data: " + b"x" * (sse.MAX_FRAME_BYTES - 8) + b"\n\n"
    splitter = FrameSplitter()
    assert b"".join(map(splitter.feed, pieces(longest, size))) == longest
    splitter = FrameSplitter()
    with pytest.raises(UpstreamBroke, match="without an end"):
        b"".join(map(splitter.feed, pieces(b"d" + longest, size)))


def test_an_event_of_too_many_lines_is_given_up() -> None:
    with pytest.raises(UpstreamBroke, match="too many lines"):
        sse.data_of(b"data: a\n" * (sse.MAX_DATA_LINES + 1) + b"\n")
