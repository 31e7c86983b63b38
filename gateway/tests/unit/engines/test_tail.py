"""The end of a log is read as it is written, whatever happens to the file meanwhile."""

from __future__ import annotations

import re
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.engines.tail import MAX_BACK_BYTES, MAX_LINE_BYTES, OLDER, PIECE_BYTES, Lines, Tail, log_file
from tests.support.tables import table


def whole(tail: Tail) -> bytes:
    """All that is there now."""
    found = b""
    while data := tail.read():
        assert len(data) <= PIECE_BYTES
        found += data
    return found


def numbered(first: int, last: int) -> bytes:
    return b"".join(b"line %d\n" % number for number in range(first, last + 1))


def open_in(folder: Path) -> int:
    """How many files of this folder are open."""
    found = 0
    for each in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # that of the listing itself is closed by now
            found += each.readlink().is_relative_to(folder)
    return found


@table(
    ("text", "lines", "end"),
    [
        (b"", 3, b""),
        (b"a\nb\nc\nd\n", 2, b"c\nd\n"),
        (b"a\nb\nc\nd", 2, b"c\nd"),
        (b"a\nb\n", 2, b"a\nb\n"),
        (b"a\nb\n", 9, b"a\nb\n"),
        (b"a\nb\n", 0, b""),
        (b"a", 1, b"a"),
        (b"\n\n\n", 2, b"\n\n"),
        (numbered(1, 50_000), 3, numbered(49_998, 50_000)),
        (numbered(1, 50_000), 20_000, numbered(30_001, 50_000)),
    ],
)
def test_the_last_lines_are_read(text: bytes, lines: int, end: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(text)
    tail = Tail(tmp_path / "x.log", lines)
    assert whole(tail) == end
    tail.close()


@given(text=st.binary(max_size=60), lines=st.integers(1, 5))
def test_as_many_lines_as_are_wanted_or_there(
    text: bytes, lines: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.log"
    path.write_bytes(text)
    tail = Tail(path, lines)
    assert whole(tail) == b"".join(re.findall(rb"[^\n]*\n|[^\n]+", text)[-lines:])
    tail.close()


def test_lines_that_reach_too_far_back_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(b"first\n" + b"x" * (MAX_BACK_BYTES + 100))
    tail = Tail(tmp_path / "x.log", 5)
    assert whole(tail) == b"x" * MAX_BACK_BYTES
    tail.close()


def test_a_file_with_fewer_lines_is_read_after_the_one_before(tmp_path: Path) -> None:
    (tmp_path / f"x.log{OLDER}").write_bytes(numbered(1, 10))
    (tmp_path / "x.log").write_bytes(numbered(11, 12))
    for lines, first in ((2, 11), (3, 10), (99, 1)):
        tail = Tail(tmp_path / "x.log", lines)
        assert whole(tail) == numbered(first, 12)
        tail.close()


def test_what_is_written_later_is_read_and_a_rotation_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    tail = Tail(path, 5)
    assert tail.read() == b""
    path.write_bytes(b"a\n")
    assert whole(tail) == b"a\n"
    with path.open("ab") as file:
        file.write(b"b\n")
        file.flush()
        assert whole(tail) == b"b\n"
        path.rename(tmp_path / f"x.log{OLDER}")
        assert tail.read() == b""
        path.write_bytes(b"d\n")
        file.write(b"c\n")  # the last words of the old one
    assert whole(tail) == b"c\nd\n"
    path.write_bytes(b"")
    assert tail.read() == b""
    path.write_bytes(b"e\n")
    assert whole(tail) == b"e\n"
    tail.close()
    assert tail.read() == b""
    assert open_in(tmp_path) == 0


def test_what_is_closed_while_it_reads_lets_go_of_its_files(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(numbered(1, 100_000))
    for _ in range(20):
        tail = Tail(path, 100_000)
        thread = threading.Thread(target=whole, args=(tail,))
        thread.start()
        tail.close()
        thread.join()
        assert tail.read() == b""
    assert open_in(tmp_path) == 0


@table(
    ("pieces", "lines"),
    [
        ([b"a\nb\n"], ["a", "b"]),
        ([b"a", b"b\r", b"\nc"], ["ab", "c"]),
        ([b"10%\r20%\r", b"30%\r", b"\n\rdone\n"], ["10%", "20%", "30%", "done"]),
        ([b"a\n\nb"], ["a", "", "b"]),
        (["疾風\n".encode()[:4], "疾風\n".encode()[4:]], ["疾風"]),
        ([b"\xff\n"], ["�"]),
        ([], []),
    ],
)
def test_lines_come_out_whole(pieces: list[bytes], lines: list[str]) -> None:
    reader = Lines()
    assert [each for piece in pieces for each in reader.feed(piece)] + reader.end() == lines


def test_a_line_without_an_end_is_cut() -> None:
    reader = Lines()
    found = [each for _ in range(10) for each in reader.feed(b"x" * PIECE_BYTES)]
    assert {len(each) for each in found} == {MAX_LINE_BYTES}
    assert len("".join([*found, *reader.end()])) == 10 * PIECE_BYTES


@given(st.lists(st.binary(max_size=8), max_size=8))
def test_no_line_has_an_end_inside_and_nothing_else_is_lost(pieces: list[bytes]) -> None:
    reader = Lines()
    found = [each for piece in pieces for each in reader.feed(piece)] + reader.end()
    assert not any("\n" in each or "\r" in each for each in found)
    text = b"".join(pieces).replace(b"\r", b"").replace(b"\n", b"")
    if text.isascii():
        assert "".join(found).encode() == text


@table(
    ("name", "file"),
    [
        ("qwen2.5-7b", "qwen2.5-7b.log"),
        ("日本語 モデル", "日本語 モデル.log"),
        ("a/b", "a%2Fb.log"),
        ("a%2Fb", "a%252Fb.log"),
        ("../../etc", "..%2F..%2Fetc.log"),
        ("..", "...log"),
        ("a\nb", "a%0Ab.log"),
    ],
)
def test_every_name_has_a_file_of_its_own_in_one_folder(name: str, file: str) -> None:
    assert log_file(Path("data"), name) == Path("data") / "logs" / file


@given(st.text(st.characters(codec=None), min_size=1, max_size=400))
def test_no_name_leads_elsewhere(name: str) -> None:
    path = log_file(Path("data"), name)
    assert path.parent == Path("data/logs")
    assert len(path.name.encode()) < 255
    assert "/" not in path.name
