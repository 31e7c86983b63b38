"""The log of an engine: small, private, and no reason for anybody to stop."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hayate.engines.output import LOOK_S, RotatingLog, Tail

FULL = """
import resource, sys
from hayate.engines.output import RotatingLog
path = sys.argv[1]
now = [0.0]
log = RotatingLog(path, 1 << 20, 2, now=lambda: now[0])
log.write(b"first\\n")
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
for _ in range(50):
    log.write(b"x" * 19 + b"\\n")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.write(b"last\\n")
"""


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


def test_a_log_is_for_our_eyes_only_and_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "smart.log"
    for word in (b"one\n", b"two\n"):
        log = RotatingLog(str(path), 1000, 1)
        log.write(word)
        log.close()
    assert path.read_bytes() == b"one\ntwo\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_full_files_are_kept_beside_it_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "smart.log"
    log = RotatingLog(str(path), 1000, 2)
    for number in range(500):
        log.write(b"line %d\n" % number)
    log.close()
    kept = [tmp_path / name for name in ("smart.log.2", "smart.log.1", "smart.log")]
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    lines = b"".join(each.read_bytes() for each in kept).splitlines()
    assert lines == [b"line %d" % number for number in range(500 - len(lines), 500)]
    assert all(each.stat().st_size <= 1010 for each in kept)


def test_ten_megabytes_without_a_line_end_take_no_more_room(tmp_path: Path) -> None:
    log = RotatingLog(str(tmp_path / "smart.log"), 1 << 20, 1)
    for _ in range(160):
        log.write(b"x" * 65536)
    log.write(b"y" * (5 << 20))
    log.close()
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) <= 4 << 20


def test_without_older_files_it_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "smart.log"
    log = RotatingLog(str(path), 100, 0)
    for number in range(100):
        log.write(b"line %d\n" % number)
    log.close()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes().endswith(b"line 99\n")
    assert path.stat().st_size <= 110


def test_what_a_full_disk_does_not_take_is_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "smart.log"
    subprocess.run([sys.executable, "-c", FULL, str(path)], check=True)
    text = path.read_text()
    assert text.startswith("first\n" + "x" * 19)
    assert text.endswith("[906 bytes are missing here: they could not be written]\nlast\n")


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "logs" / "smart.log"
    log = RotatingLog(str(path), 1000, 1, now=clock)
    log.write(b"lost\n")
    path.parent.mkdir()
    log.write(b"lost too\n")
    clock.s += LOOK_S
    log.write(b"kept\n")
    assert path.read_text() == "\n[14 bytes are missing here: they could not be written]\nkept\n"


def test_a_file_that_somebody_takes_away_is_made_again(tmp_path: Path) -> None:
    clock, path = Clock(), tmp_path / "smart.log"
    log = RotatingLog(str(path), 1000, 1, now=clock)
    log.write(b"one\n")
    path.unlink()
    clock.s += LOOK_S
    log.write(b"two\n")
    assert path.read_bytes() == b"two\n"


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    (tmp_path / "smart.log").symlink_to(tmp_path / "other")
    log = RotatingLog(str(tmp_path / "smart.log"), 1000, 1)
    log.write(b"one\n")
    log.close()
    assert (tmp_path / "other").read_bytes() == b""


@given(st.lists(st.binary(max_size=40)), st.integers(1, 30))
def test_the_tail_is_the_end_whatever_the_pieces(pieces: list[bytes], most: int) -> None:
    tail = Tail(most)
    for piece in pieces:
        tail.feed(piece)
    whole = b"".join(pieces)
    end = whole[-most:]
    if len(whole) > most:
        end = end.partition(b"\n")[2] or end
    assert tail.text() == end.decode("utf-8", errors="replace")


def test_the_tail_of_much_is_little() -> None:
    tail = Tail(1000)
    for _ in range(100):
        tail.feed(b"x" * 65536)
    assert len(tail._kept) <= 2000
