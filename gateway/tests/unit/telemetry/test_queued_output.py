"""A queue before a descriptor: whoever writes never waits and never fails; what is lost is counted."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from hayate.telemetry.queued_output import GATHER_S, PAUSE_S, PIECE_BYTES, QueuedOutput, Unmade
from tests.support.outputs import fill, read_all, set_nonblocking
from tests.support.waiting import LAST_RESORT_S


def until(condition: Callable[[], object], within_s: float = LAST_RESORT_S) -> None:
    """Waits for another thread to get so far."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def queued_pipe(max_bytes: int = 1 << 20, gather_s: float = GATHER_S) -> Iterator[tuple[QueuedOutput, int, int]]:
    """A queue before a pipe of our own, with both its ends."""
    reader, writer = os.pipe()
    output = QueuedOutput(writer, "stdout", max_bytes, gather_s)
    threads = threading.active_count()
    try:
        yield output, reader, writer
    finally:
        output.close()
        os.close(reader)  # whoever waits for it to be read fails now
        until(lambda: threading.active_count() <= threads)
        os.close(writer)


def lines(count: int, first: int = 0) -> list[bytes]:
    return [b'{"line":%d}\n' % number for number in range(first, first + count)]


def test_lines_arrive_in_order_and_whole() -> None:
    with queued_pipe() as (output, reader, _):
        for line in lines(5000):
            output.write(line)
            if len(line) % 7 == 0:
                output.flush()
        assert read_all(reader, b'{"line":4999}\n') == b"".join(lines(5000))
        assert output.dropped == 0


def test_what_is_said_to_people_does_not_wait_for_more() -> None:
    with queued_pipe(gather_s=0.0) as (output, reader, _):
        for line in lines(20):
            output.write(line)
            assert read_all(reader, line) == line


def test_what_does_not_fit_is_dropped_counted_and_told_once_somebody_reads_again() -> None:
    with queued_pipe(max_bytes=100 * PIECE_BYTES) as (output, reader, writer):
        filler = fill(writer)
        for line in lines(1000):
            assert output.write(line) == len(line)
        assert 900 < output.dropped < 1000
        kept = 1000 - output.dropped
        told = b'"lines":%d}\n' % output.dropped
        read = read_all(reader, told).removeprefix(filler)
        assert b"".join(read.splitlines(keepends=True)[:-1]) == b"".join(lines(kept))
        notice = json.loads(read.splitlines()[-1])
        assert (notice["event"], notice["stream"], notice["lines"]) == ("log_lines_dropped", "stdout", 1000 - kept)
        assert abs(datetime.fromisoformat(notice["time"]).timestamp() - time.time()) < 60
        output.write(b"afterwards\n")
        assert read_all(reader, b"afterwards\n") == b"afterwards\n"


def test_much_more_than_fits_is_written_as_fast_as_it_is_read() -> None:
    """A nap after every write would be a minute each."""
    with queued_pipe(gather_s=60.0) as (output, reader, writer):
        written, read = 0, -len(fill(writer))  # before the first of it is read there is more to write, and so on
        while written < 40_000_000:
            while written - read < 500_000:  # half of what may wait
                written += output.write(b"x" * 9_999 + b"\n")
            read += len(os.read(reader, 1 << 20))
        assert output.dropped == 0


def test_the_end_does_not_wait_for_more() -> None:
    """Its thread is gone although a nap would be longer than anybody waits."""
    with queued_pipe(gather_s=2 * LAST_RESORT_S) as (output, _, writer):
        fill(writer)
        output.write(b"never read\n")


def test_many_small_pieces_are_bounded_too() -> None:
    with queued_pipe(max_bytes=10_000) as (output, _, writer):
        fill(writer)
        for _ in range(100_000):
            output.write(b"")
        assert output.dropped > 99_000


def test_a_pipe_that_somebody_made_nonblocking_is_written_to_as_any_other() -> None:
    with queued_pipe(max_bytes=1 << 22) as (output, reader, writer):
        set_nonblocking(writer)
        filler = fill(writer)
        for line in lines(20_000):
            output.write(line)
        assert read_all(reader, b'{"line":19999}\n').removeprefix(filler) == b"".join(lines(20_000))


def test_it_goes_on_when_a_reader_comes_back(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log")
    reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(tmp_path / "log", os.O_WRONLY)
    output = QueuedOutput(writer, "stdout")
    os.close(reader)
    output.write(b"said to nobody\n")
    assert not output.drain(20)  # it gives up on a stream that fails
    reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETFL, 0)
    output.write(b"said to somebody\n")
    assert read_all(reader, b"somebody\n") == b"said to nobody\nsaid to somebody\n"
    output.close()
    os.close(reader)


def test_a_full_disk_neither_raises_nor_holds_up() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        output = QueuedOutput(full.fileno(), "stderr", 50_000)
        for line in lines(10_000):
            output.write(line)
        assert output.dropped > 9000
        assert not output.drain(20)
        output.close()
        until(lambda: not any(thread.name == "log-stderr" for thread in threading.enumerate()))


def test_drain_waits_for_what_was_said_but_no_longer_than_told() -> None:
    with queued_pipe() as (output, reader, writer):
        assert output.drain(0)  # nothing was
        output.write(b"a\n")
        assert output.drain(20)
        assert os.read(reader, 100) == b"a\n"
        fill(writer)
        output.write(b"b\n")
        began = time.monotonic()
        assert not output.drain(0.2)
        assert time.monotonic() - began >= 0.2


def test_threads_may_write_at_the_same_time() -> None:
    with queued_pipe() as (output, reader, _):
        writers = [
            threading.Thread(target=lambda n=n: [output.write(b"%d\n" % n) for _ in range(500)]) for n in range(8)
        ]
        for each in writers:
            each.start()
        seen = b""
        while seen.count(b"\n") < 4000:
            seen += os.read(reader, 65536)
        assert sorted(seen.split()) == sorted(b"%d" % n for n in range(8) for _ in range(500))


def counted(made: list[int], count: int, start: threading.Event | None = None) -> Unmade:
    """So many lines, which note that they were made, and where."""

    def make() -> bytes:
        if start is not None:
            assert start.wait(20)
        made.append(threading.get_ident())
        return b"".join(lines(count))

    return Unmade(make, count, 100 * count)


def test_lines_that_are_made_later_are_made_by_the_thread_and_in_their_place() -> None:
    made: list[int] = []
    with queued_pipe() as (output, reader, _):
        output.write(b"first\n")
        output.write_later(counted(made, 3))
        output.write(b"last\n")
        assert read_all(reader, b"last\n") == b"first\n" + b"".join(lines(3)) + b"last\n"
    assert len(made) == 1
    assert threading.get_ident() not in made


def test_they_take_of_the_queue_what_they_take_of_memory_and_are_counted_one_by_one() -> None:
    made: list[int] = []
    start = threading.Event()
    with queued_pipe(max_bytes=10_000) as (output, reader, _):
        for _ in range(100):
            output.write_later(counted(made, 10, start))
        assert output.dropped in (
            910,
            920,
        )  # one may be with the thread already, which counts as long as it isn't written
        start.set()
        told = b'"lines":%d}\n' % output.dropped
        assert read_all(reader, told).count(b'{"line":') == 1000 - output.dropped
        output.write_later(counted(made, 10))
        assert read_all(reader, b'{"line":9}\n') == b"".join(lines(10))


def test_a_fault_in_what_makes_lines_is_told_and_costs_no_others(caplog: pytest.LogCaptureFixture) -> None:
    def fails() -> bytes:
        raise KeyError("a mistake of ours")

    with queued_pipe() as (output, reader, _):
        output.write_later(Unmade(fails, 3, 100))
        output.write(b"afterwards\n")
        assert read_all(reader, b"afterwards\n") == b"afterwards\n"
        assert output.drain(20)
    assert "3 lines of stdout could not be made" in caplog.text
    assert "a mistake of ours" in caplog.text


def test_what_was_lost_is_told_as_the_stream_is_written() -> None:
    with queued_pipe(max_bytes=100 * PIECE_BYTES) as (output, reader, writer):
        output.note = lambda stream, count: b"%d of %s\n" % (count, stream.encode())
        fill(writer)
        for line in lines(1000):
            output.write(line)
        assert read_all(reader, b"of stdout\n").endswith(b"%d of stdout\n" % output.dropped)


@pytest.mark.parametrize(
    ("pieces", "pauses"),
    [pytest.param(10, 9, id="a fifth of the queue"), pytest.param(40, 4, id="most of the queue")],
)
def test_what_is_to_be_put_into_words_is_with_pauses_fewer_when_much_of_it_waits(
    pieces: int, pauses: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    start = threading.Event()
    with queued_pipe(max_bytes=50 * 1000) as (output, reader, _):
        monkeypatch.setattr("hayate.telemetry.queued_output.time", SimpleNamespace(sleep=slept.append))
        for _ in range(pieces):
            output.write_later(Unmade(lambda: b"line\n" if start.wait(LAST_RESORT_S) else b"", 1, 1000 - PIECE_BYTES))
        start.set()
        assert read_all(reader, b"line\n" * pieces) == b"line\n" * pieces
    assert (output.dropped, slept) == (0, [PAUSE_S] * pauses)
