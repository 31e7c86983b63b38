"""Standard output and standard error as the queues they become: every way to speak is heard, and none fails or waits."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from hayate.telemetry import log_writer
from tests.support.outputs import STATES, unread
from tests.support.tables import table

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


@table("stream", ["stdout", "stderr"])
@table("state", STATES)
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


@table("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
@table("verb", ["models", "check-config"])
def test_commands_run_with_standard_streams_closed(verb: str, closed: str) -> None:
    hayate = Path(sys.executable).with_name("hayate")
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", str(hayate), verb]
    environment = {"PATH": os.environ["PATH"], "LLM_BACKEND": "vllm"}
    assert subprocess.run(command, check=False, timeout=60, env=environment).returncode == 0


def test_which_of_the_two_are_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with tempfile.TemporaryFile("w") as file, open(theirs, "w", closefd=False, encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        monkeypatch.setattr(sys, "stderr", file)
        assert log_writer.terminals() == {"stdout": theirs, "stderr": None}
        monkeypatch.setattr(sys, "stdout", None)
        assert log_writer.terminals() == {"stdout": None, "stderr": None}
    os.close(ours)
    os.close(theirs)
