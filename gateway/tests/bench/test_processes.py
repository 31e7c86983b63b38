"""What a process tree costs is counted whole."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bench.processes import Started, tree, tree_cpu_s, tree_rss_bytes

from tests.support.waiting import LAST_RESORT_S

BURN = "import time\nwhile time.process_time() < 0.3: pass\n"
IN_A_THREAD = (
    f"import threading\nthread = threading.Thread(target=lambda: exec({BURN!r}))\nthread.start(); thread.join()\n"
)
SLEEP = "import time\ntime.sleep(600)\n"
FAMILY = f"""
import subprocess, sys
subprocess.run([sys.executable, "-c", {BURN!r}], check=True)
child = subprocess.Popen([sys.executable, "-c", {IN_A_THREAD + SLEEP!r}])
{IN_A_THREAD}
{SLEEP}
"""
STUBBORN = """
import signal, subprocess, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(["sleep", "600"])
print("up", flush=True)
time.sleep(600)
"""


def _cpu_until(started: Started, enough_s: float) -> float:
    deadline = time.monotonic() + LAST_RESORT_S
    while (spent := tree_cpu_s(started.pid)) < enough_s and time.monotonic() < deadline:
        time.sleep(0.02)
    return spent


def test_cpu_of_a_tree_counts_threads_children_and_children_already_gone(tmp_path: Path) -> None:
    started = Started([sys.executable, "-c", FAMILY], home=tmp_path)
    try:
        # Three burn 0.3 s each; what a reaped child has used is known in hundredths, rounded down.
        spent = _cpu_until(started, 0.87)

        assert spent >= 0.87, started.last_words()
        assert len(tree(started.pid)) == 2
        assert tree_rss_bytes(started.pid) > 2 * 5_000_000
        time.sleep(0.2)
        assert tree_cpu_s(started.pid) < 5
    finally:
        started.stop()


def test_an_idle_tree_costs_nothing(tmp_path: Path) -> None:
    started = Started(["sleep", "600"], home=tmp_path)
    try:
        time.sleep(0.1)
        before = tree_cpu_s(started.pid)
        time.sleep(0.3)

        assert tree_cpu_s(started.pid) - before < 0.02
    finally:
        started.stop()


def test_stopping_ends_the_whole_tree(tmp_path: Path) -> None:
    started = Started([sys.executable, "-c", STUBBORN], home=tmp_path)
    deadline = time.monotonic() + LAST_RESORT_S
    while "up" not in started.stdout.read_text() and time.monotonic() < deadline:
        time.sleep(0.02)
    members = tree(started.pid)
    started.stop(grace_s=0.2)
    deadline = time.monotonic() + LAST_RESORT_S
    while any(_alive(pid) for pid in members) and time.monotonic() < deadline:
        time.sleep(0.02)

    assert len(members) == 2
    assert not any(_alive(pid) for pid in members)


def test_the_last_words_of_a_process_that_ended_say_why(tmp_path: Path) -> None:
    started = Started([sys.executable, "-c", "raise SystemExit('no such model')"], home=tmp_path)
    deadline = time.monotonic() + LAST_RESORT_S
    while not started.exited and time.monotonic() < deadline:
        time.sleep(0.02)

    assert started.last_words() == "no such model"


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
