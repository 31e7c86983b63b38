"""The queue before standard output and standard error: whoever writes never waits and never fails; what is lost is counted."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from hayate.telemetry.log_writer import GATHER_S, PIECE_BYTES, QueuedOutput
from tests.support.outputs import STATES, fill, read_all, set_nonblocking, unread


def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
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
        assert abs(notice["time"] - time.time()) < 60
        output.write(b"afterwards\n")
        assert read_all(reader, b"afterwards\n") == b"afterwards\n"


def test_much_more_than_fits_is_written_as_fast_as_it_is_read() -> None:
    with queued_pipe() as (output, reader, _):
        written, read = 0, 0
        began = time.monotonic()
        while written < 40_000_000:
            while written - read < 500_000:  # half of what may wait
                written += output.write(b"x" * 9_999 + b"\n")
            read += len(os.read(reader, 1 << 20))
        assert output.dropped == 0
        assert time.monotonic() - began < 20  # with a nap after every write it would be 30


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
        began = time.monotonic()
        for line in lines(10_000):
            output.write(line)
        assert time.monotonic() - began < 5
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
        assert 0.2 <= time.monotonic() - began < 5


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


PROGRAM = """
import logging, sys, threading, warnings
from hayate.telemetry.log_writer import take_standard_streams
take_standard_streams()
take_standard_streams()
logging.basicConfig(level=logging.INFO)
for number in range(2000):
    print("printed", number, "x" * 100)
    print("printed", number, "x" * 100, file=sys.stderr)
    sys.stdout.buffer.write(b"bytes\\n")
    logging.info("logged %d", number)
    if number % 100 == 0:
        logging.info("a record with %d mistakes", "two")
    warnings.warn(f"warned {number}")
class Late:
    def __del__(self):
        logging.error("said by a destructor")
print("\\ud800", file=sys.stdout)
Late()
threading.Thread(target=lambda: 1 / 0).start()
sys.stderr.write("said last, without an end")
raise SystemExit(7) if len(sys.argv) > 1 else RuntimeError("the last word")
"""


def run(*arguments: str, through: Sequence[str] = (), **streams: int) -> int:
    """The exit status of a program that says a lot."""
    command = [*through, sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.run(command, check=False, timeout=60, **streams).returncode  # type: ignore[call-overload, no-any-return]


def test_all_of_pythons_ways_to_speak_are_heard_to_the_last_word(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        assert run(stdout=out.fileno(), stderr=err.fileno()) == 1
    said, complained = (tmp_path / "out").read_text(), (tmp_path / "err").read_text()
    assert said.count("printed") == said.count("bytes\n") == 2000
    assert said.endswith("\\ud800\n")
    assert complained.count("printed") == complained.count("INFO:root:logged") == 2000
    assert "UserWarning: warned 1999" in complained
    for ending in ("said by a destructor", "ZeroDivisionError", "RuntimeError: the last word"):
        assert ending in complained


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("state", STATES)
def test_none_of_them_fails_or_waits_whatever_has_become_of_the_stream(stream: str, state: str) -> None:
    other = "stderr" if stream == "stdout" else "stdout"
    with unread(stream, state) as pipe:
        assert run("quietly", through=pipe.through, **{stream: pipe.fd, other: subprocess.DEVNULL}) == 7


def test_a_stream_that_sleeps_does_not_take_the_others_last_words(tmp_path: Path) -> None:
    with unread("stdout", "asleep") as pipe, (tmp_path / "err").open("wb") as err:
        assert run(stdout=pipe.fd, stderr=err.fileno()) == 1
    complained = (tmp_path / "err").read_text()
    assert "RuntimeError: the last word" in complained
    assert "ZeroDivisionError" in complained


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("verb", ["models", "check-config"])
def test_commands_run_with_standard_streams_closed(verb: str, closed: str) -> None:
    hayate = Path(sys.executable).with_name("hayate")
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", str(hayate), verb]
    environment = {"PATH": os.environ["PATH"], "LLM_BACKEND": "vllm"}
    assert subprocess.run(command, check=False, timeout=60, env=environment).returncode == 0
