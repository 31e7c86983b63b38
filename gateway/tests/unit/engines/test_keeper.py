"""A keeper: nothing of an engine outlives the gateway, however either of them ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hayate.engines.kept import Kept
from hayate.engines.program import Program
from tests.support.ports import free_port
from tests.support.processes import alive
from tests.support.run_engine import COMMAND
from tests.support.waiting import LAST_RESORT_S, NEVER_S, eventually

pytestmark = pytest.mark.anyio

GATEWAY = """
import asyncio, json, os, sys
from pathlib import Path
from hayate.engines.kept import Kept
from hayate.engines.program import Program

async def main():
    told = json.loads(sys.argv[1])
    kept = await Kept.start(Program(tuple(told["command"]), dict(os.environ), stop_s=told["stop_s"]), Path(told["log"]))
    print(kept.pid, kept.keeper_pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""
"""A gateway that has started an engine, and nothing more."""


def command(*what: str) -> tuple[str, ...]:
    return (*(part.format(port=free_port()) for part in COMMAND), *what)


def children_in(log: Path) -> list[int]:
    return [int(line.split()[1]) for line in log.read_text().splitlines() if line.startswith("child ")]


async def listening(log: Path) -> None:
    await eventually(lambda: "listening on" in log.read_text())


@asynccontextmanager
async def kept(tmp_path: Path, *what: str, stop_s: float = LAST_RESORT_S) -> AsyncIterator[Kept]:
    started = await Kept.start(Program(command(*what), dict(os.environ), stop_s=stop_s), tmp_path / "log")
    try:
        yield started
    finally:
        await started.stop()


async def test_every_process_goes_with_its_engine_also_those_that_left_its_group(tmp_path: Path) -> None:
    async with kept(tmp_path, "child", "lost-child") as started:
        await listening(tmp_path / "log")
        pids = [started.pid, *children_in(tmp_path / "log")]
        assert len({os.getpgid(pid) for pid in pids}) == 2
        assert all(map(alive, pids))
        ending = await started.stop()
    assert (ending.status, ending.asked, ending.killed, ending.left) == (-signal.SIGTERM, True, False, ())
    assert not any(map(alive, [*pids, started.keeper_pid]))


async def test_one_that_ignores_the_signal_is_killed_when_its_time_is_over(tmp_path: Path) -> None:
    async with kept(tmp_path, "ignore-term", "lost-child", stop_s=0.3) as started:
        await listening(tmp_path / "log")
        pids = children_in(tmp_path / "log")
        ending = await started.stop()
    assert (ending.status, ending.asked, ending.killed) == (-signal.SIGKILL, True, True)
    assert not any(map(alive, pids))


async def test_a_child_that_ignores_it_is_killed_too(tmp_path: Path) -> None:
    async with kept(tmp_path, "stubborn-child", stop_s=0.3) as started:
        await listening(tmp_path / "log")
        [pid] = children_in(tmp_path / "log")
        ending = await started.stop()
    assert ending.killed
    assert not alive(pid)


async def test_a_frozen_one_is_killed(tmp_path: Path) -> None:
    async with kept(tmp_path, "child", stop_s=0.3) as started:
        await listening(tmp_path / "log")
        pids = [started.pid, *children_in(tmp_path / "log")]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        await started.stop()
    assert not any(map(alive, pids))


async def test_what_one_that_ended_by_itself_left_behind_is_ended(tmp_path: Path) -> None:
    async with kept(tmp_path, "child", "lost-child", stop_s=NEVER_S) as started:
        await listening(tmp_path / "log")
        pids = children_in(tmp_path / "log")
        os.kill(started.pid, signal.SIGSEGV)
        ending = await started.ended
        assert (ending.status, ending.asked, ending.killed) == (-signal.SIGSEGV, False, False)
        assert not any(map(alive, pids))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
async def test_nothing_outlives_a_gateway_that_is_killed(tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "log"
    told = {"command": command("child", "lost-child", "stubborn-child"), "stop_s": 0.3, "log": str(log)}
    gateway = subprocess.Popen([sys.executable, "-c", GATEWAY, json.dumps(told)], stdout=subprocess.PIPE)
    try:
        assert gateway.stdout is not None
        pids = [int(word) for word in (await asyncio.to_thread(gateway.stdout.readline)).split()]
        await listening(log)
        pids += children_in(log)
        assert len(pids) == 5
        assert all(map(alive, pids))
    finally:
        gateway.send_signal(number)
        gateway.communicate()
    await eventually(lambda: not any(map(alive, pids)))


async def test_a_keeper_that_is_killed_takes_its_engine_along(tmp_path: Path) -> None:
    async with kept(tmp_path, "child") as started:
        await listening(tmp_path / "log")
        pids = [started.pid, *children_in(tmp_path / "log")]
        os.kill(started.keeper_pid, signal.SIGKILL)
        ending = await started.ended
        assert (ending.status, ending.asked) == (None, False)
        await eventually(lambda: not any(map(alive, pids)))


async def test_a_keeper_that_is_told_to_end_ends_its_engine_first(tmp_path: Path) -> None:
    async with kept(tmp_path) as started:
        await listening(tmp_path / "log")
        os.kill(started.keeper_pid, signal.SIGTERM)
        ending = await started.ended
        assert (ending.status, ending.asked) == (-signal.SIGTERM, True)


async def test_ctrl_c_and_a_closed_terminal_are_the_gateways_business(tmp_path: Path) -> None:
    async with kept(tmp_path) as started:
        await listening(tmp_path / "log")
        for number in (signal.SIGINT, signal.SIGHUP):
            os.kill(started.keeper_pid, number)
        assert os.getsid(started.keeper_pid) == started.keeper_pid
        assert os.getsid(started.pid) == started.pid
        ending = await started.stop()
    assert ending.asked
    assert ending.status == -signal.SIGTERM


async def test_ten_megabytes_without_a_line_end_pass_through(tmp_path: Path) -> None:
    async with kept(tmp_path, "megabytes=10", "ends=0") as started:
        ending = await started.ended
    assert ending.status == 0
    assert len(ending.lines) == 1
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) >= 10 << 20


async def test_a_log_that_takes_nothing_stops_no_engine(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    async with kept(tmp_path, "megabytes=10", "says=\nthe last words", "ends=5") as started:
        ending = await started.ended
    assert ending.status == 5
    assert ending.lines[-1].endswith("the last words")


async def test_the_engine_has_the_usual_signals_no_descriptor_of_ours_and_dies_first_for_want_of_memory(
    tmp_path: Path,
) -> None:
    async with kept(tmp_path) as started:
        await listening(tmp_path / "log")
        status = Path(f"/proc/{started.pid}/status").read_text()
        ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
        assert not ignored & (1 << (signal.SIGHUP - 1))
        assert "SigBlk:\t0000000000000000" in status
        assert len(list(Path(f"/proc/{started.pid}/fd").iterdir())) == 4  # the three, and the socket that it listens on
        assert Path(f"/proc/{started.pid}/oom_score_adj").read_text().strip() == "500"
