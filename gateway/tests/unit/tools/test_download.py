"""Files that come in pieces: whole under their name, or not there; what has come is never asked for again."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.download import PAUSES_S, InUse, Passing, Wanted, WrongChecksum, complete, is_whole

BODY = random.Random(1).randbytes(40_000)
WANTED = Wanted(len(BODY), hashlib.sha256(BODY).hexdigest())
GIT = Wanted(len(BODY), hashlib.sha1(b"blob %d\0" % len(BODY) + BODY).hexdigest())


class Way:
    """Brings a file, and is cut at the bytes it was told."""

    def __init__(self, *cuts: int, ranges: bool = True, body: bytes = BODY) -> None:
        self.cuts, self.ranges, self.body = list(cuts), ranges, body
        self.starts: list[int] = []

    @contextlib.contextmanager
    def __call__(self, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        self.starts.append(start)
        yield (start, self.pieces(start)) if self.ranges else (0, self.pieces(0))

    def pieces(self, start: int) -> Iterator[bytes]:
        end = self.cuts.pop(0) if self.cuts else len(self.body)
        for at in range(start, end, 1000):
            yield self.body[at : min(end, at + 1000)]
        if end < len(self.body):
            raise Passing("cut")


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "a.part"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "model.gguf"


def silent(_: object) -> None: ...


def fetch(way: Way, part: Path, target: Path, wanted: Wanted = WANTED, told: Callable[[int], None] = silent) -> None:
    complete(way, wanted, part, target, told, pause=silent)


@pytest.mark.parametrize("wanted", [WANTED, GIT, Wanted(len(BODY))])
def test_a_file_comes_whole_and_nothing_stays_beside_it(part: Path, target: Path, wanted: Wanted) -> None:
    told: list[int] = []
    fetch(Way(), part, target, wanted, told.append)
    assert target.read_bytes() == BODY
    assert not part.exists()
    assert (told == sorted(told), told[-1]) == (True, len(BODY))
    assert is_whole(target, wanted)


@given(st.lists(st.integers(0, len(BODY)), max_size=12))
def test_wherever_it_is_cut_no_byte_is_asked_for_twice(cuts: list[int]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        part, target = Path(folder, "a.part"), Path(folder, "model.gguf")
        way, rising = Way(*sorted(set(cuts))), sorted({0, *cuts})
        fetch(way, part, target)
        assert target.read_bytes() == BODY
        assert [each for each in rising if each < len(BODY)] == sorted(set(way.starts))


def test_a_later_process_goes_on_where_an_earlier_one_was_killed(part: Path, target: Path) -> None:
    for at in (0, 1, 999, 1000, 12_345, len(BODY) - 1, len(BODY)):
        part.write_bytes(BODY[:at])
        way = Way()
        fetch(way, part, target)
        assert target.read_bytes() == BODY
        assert way.starts == ([at] if at < len(BODY) else [])


def test_a_source_that_always_begins_anew_brings_it_all_the_same(part: Path, target: Path) -> None:
    part.write_bytes(b"other bytes")
    fetch(Way(5000, 9000, ranges=False), part, target)
    assert target.read_bytes() == BODY


def test_what_stays_away_is_tried_a_few_times_and_what_has_come_is_kept(part: Path, target: Path) -> None:
    pauses: list[float] = []
    way = Way(*[7000] * 99)
    with pytest.raises(Passing, match="cut"):
        complete(way, WANTED, part, target, silent, pause=pauses.append)
    assert pauses == list(PAUSES_S)
    assert (part.read_bytes(), target.exists()) == (BODY[:7000], False)
    with pytest.raises(Passing, match="7000 bytes of 40000"):
        fetch(Way(body=BODY[:7000]), part, target)


@pytest.mark.parametrize("wanted", [Wanted(len(BODY), "0" * 64), Wanted(len(BODY), "0" * 40)])
def test_other_bytes_than_were_promised_never_get_the_name(part: Path, target: Path, wanted: Wanted) -> None:
    with pytest.raises(WrongChecksum):
        fetch(Way(), part, target, wanted)
    assert not target.exists()
    assert not part.exists()


def test_a_part_that_was_spoilt_on_the_disk_is_found_out(part: Path, target: Path) -> None:
    part.write_bytes(b"x" * 5000)
    with pytest.raises(WrongChecksum):
        fetch(Way(), part, target)
    assert not target.exists()
    fetch(Way(), part, target)
    assert target.read_bytes() == BODY


def test_a_part_longer_than_the_file_is_none_of_it(part: Path, target: Path) -> None:
    part.write_bytes(BODY + b"x")
    fetch(Way(), part, target)
    assert target.read_bytes() == BODY


def test_more_bytes_than_were_promised_are_not_kept(part: Path, target: Path) -> None:
    fetch(Way(body=BODY + b"x" * 5000), part, target)
    assert target.read_bytes() == BODY


def test_what_can_not_be_had_at_all_leaves_nothing(part: Path, target: Path) -> None:
    @contextlib.contextmanager
    def refused(start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        raise PermissionError(errno.EACCES, "no")
        yield start, iter(())

    with pytest.raises(PermissionError):
        complete(refused, WANTED, part, target, silent)
    assert list(part.parent.iterdir()) == []


def test_of_two_at_a_time_one_is_told(part: Path, target: Path) -> None:
    part.write_bytes(b"")
    with part.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InUse):
            fetch(Way(), part, target)


def test_a_link_in_the_place_of_the_part_is_not_followed(part: Path, target: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    part.symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic") as refused:
        fetch(Way(), part, target)
    assert refused.value.errno == errno.ELOOP
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_an_empty_file_is_a_file(part: Path, target: Path) -> None:
    fetch(Way(body=b""), part, target, Wanted(0))
    assert target.read_bytes() == b""


def test_whole_is_what_has_the_size_and_the_checksum(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert not is_whole(path, WANTED)
    path.write_bytes(BODY[:-1])
    assert not is_whole(path, WANTED)
    path.write_bytes(BODY[:-1] + b"x")
    assert not is_whole(path, WANTED)
