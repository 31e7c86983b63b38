"""Lines come out whole, however their bytes arrived."""

from __future__ import annotations

import pytest

from hayate.errors import UpstreamBroke
from hayate.wire.ndjson import MAX_LINE_BYTES, LineSplitter

RAW = '{"a":"吾が社"}\n{"b":"😀"}\r\n\n{"c":1}\n'.encode()
LINES = [line for line in RAW.split(b"\n") if line.strip()]


@pytest.mark.parametrize("size", range(1, len(RAW) + 1))
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
