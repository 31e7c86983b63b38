"""Lines come out whole, however their bytes arrived."""

from __future__ import annotations

import time

import pytest

from hayate.upstream_errors import UpstreamBroke
from hayate.wire.ndjson import MAX_LINE_BYTES, LineSplitter
from tests.support.tables import table

RAW = '{"a":"吾が社"}\n{"b":"😀"}\r\n\n{"c":1}\n'.encode()
LINES = [line for line in RAW.split(b"\n") if line.strip()]


@table("size", range(1, len(RAW) + 1))
def test_lines_do_not_depend_on_how_bytes_arrive(size: int) -> None:
    splitter = LineSplitter()
    pieces = [RAW[at : at + size] for at in range(0, len(RAW), size)]
    assert [line for piece in pieces for line in splitter.feed(piece)] == LINES
    assert splitter.tail == b""


def test_a_line_waits_for_its_end() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b'{"a":') == []
    assert splitter.tail == b'{"a":'
    assert splitter.feed(b"1}\n{") == [b'{"a":1}']


def test_a_line_without_an_end_is_no_answer() -> None:
    splitter = LineSplitter()
    with pytest.raises(UpstreamBroke, match="without an end"):
        splitter.feed(b"x" * (MAX_LINE_BYTES + 1))


@pytest.mark.parametrize(("rest", "lines"), [(b"", []), (b" \r", []), (b'{"a":1}', [b'{"a":1}']), (b"7\r", [b"7\r"])])
def test_the_bodys_end_ends_the_line_that_waits(rest: bytes, lines: list[bytes]) -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"{}\n" + rest) == [b"{}"]
    assert (splitter.rest(), splitter.rest()) == (lines, [])


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_a_line_of_megabytes_takes_time_by_its_length_however_it_comes(size: int) -> None:
    whole = b"x" * 500_000 + b"\n"
    splitter = LineSplitter()
    began = time.process_time()
    assert [line for at in range(0, len(whole), size) for line in splitter.feed(whole[at : at + size])] == [whole[:-1]]
    assert time.process_time() - began < 5.0
