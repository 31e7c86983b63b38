"""A run on several processes reports what it would on one; a process that dies fails the test it was at, and no other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

GATEWAY = Path(__file__).parents[2]
FIRST = """
import os, pytest
def test_same_process(): open("first", "w").write(str(os.getpid()))
def test_too(): assert open("first").read() == str(os.getpid())
def test_said():
    print("said by", "the test")
    assert False
@pytest.mark.skip(reason="not today")
def test_skipped(): pass
"""
WAITING = """
import os, time
def test_elsewhere():
    open({mine!r}, "w").write(str(os.getpid()) + "\\n")
    while not (os.path.exists({other!r}) and open({other!r}).read().endswith("\\n")): time.sleep(0.01)
    assert open({other!r}).read() != open({mine!r}).read()
"""
DYING = """
import os
def test_before(): pass
def test_dies(): os._exit(7)
def test_after(): pass
"""
STARTED = """
import pytest
@pytest.fixture(scope="session")
def engine():
    yield
    open("ended", "w").write("")
def test_fails(engine): assert False
@pytest.mark.parametrize("number", range(1000))
def test_never(engine, number): __import__("time").sleep(0.05)
"""


def run(folder: Path, files: dict[str, str], *options: str, workers: int = 2) -> subprocess.CompletedProcess[str]:
    for name, text in files.items():
        (folder / f"test_{name}.py").write_text(text)
    plugins = ("tests.support.workers", "no:cacheprovider", "no:schemathesis", "no:hypothesispytest")  # dear to import
    command = [sys.executable, "-m", "pytest", "--rootdir", ".", *(f"-p{each}" for each in plugins)]
    env = {"PYTHONPATH": str(GATEWAY), "PATH": ""}
    command += [f"--workers={workers}", *options]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_a_file_is_one_processs_two_files_are_twos_and_all_is_reported(tmp_path: Path) -> None:
    """Two files wait for each other: on one process they would wait for ever."""
    here, there = (WAITING.format(mine=mine, other=other) for mine, other in (("here", "there"), ("there", "here")))
    done = run(tmp_path, {"here": here, "there": there, "whole": FIRST})
    assert "1 failed, 4 passed, 1 skipped" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("said by the test") == 1
    assert "FAILED test_whole.py::test_said" in done.stdout
    assert done.returncode == 1


def test_a_process_that_dies_fails_its_test_and_no_other(tmp_path: Path) -> None:
    done = run(tmp_path, {"dying": DYING}, workers=1)
    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "the process that ran this test ended with 7" in done.stdout
    assert "FAILED test_dying.py::test_dies" in done.stdout


def test_a_run_that_stops_ends_what_its_processes_have_started(tmp_path: Path) -> None:
    done = run(tmp_path, {"started": STARTED}, "-x")
    assert "stopping after 1 failures" in done.stdout, done.stdout + done.stderr
    assert (tmp_path / "ended").exists()
