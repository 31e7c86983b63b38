"""An engine as a child: loaded when it answers, gone when it is unloaded, and why it ended is told once."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hayate.engines.base import Engine, LoadFailed
from hayate.engines.ports import Ports
from hayate.engines.process import ProcessEngine
from hayate.engines.program import Program, run_program
from hayate.reasons import Reason
from hayate.settings import Run
from tests.support.http import fetch
from tests.support.processes import alive, children
from tests.support.run_engine import COMMAND
from tests.support.waiting import LAST_RESORT_S, NEVER_S, eventually

pytestmark = pytest.mark.anyio


def program_of(
    *what: str, command: tuple[str, ...] = COMMAND, stop_s: float = LAST_RESORT_S
) -> Callable[[int], Program]:
    run = Run(command=(*command, *what), env={"PATH": os.environ["PATH"]}, stop_s=stop_s)
    return lambda port: run_program(run, port, None, {})


def engine(tmp_path: Path, *what: str, ports: Ports | None = None, **options: float) -> ProcessEngine:
    return ProcessEngine("smart", program_of(*what, **options), ports or Ports(), tmp_path / "smart.log")  # type: ignore[arg-type]


@asynccontextmanager
async def loaded(made: ProcessEngine) -> AsyncIterator[int]:
    """The pid, once it answers."""
    await made.load(LAST_RESORT_S)
    try:
        assert made.pid is not None
        yield made.pid
    finally:
        await made.close()


@pytest.fixture(autouse=True)
def nothing_left() -> object:
    before = set(children(os.getpid()))
    yield
    assert set(children(os.getpid())) <= before


async def failure(made: ProcessEngine, limit_s: float = LAST_RESORT_S) -> LoadFailed:
    with pytest.raises(LoadFailed) as raised:
        await made.load(limit_s)
    assert made.pid is None
    assert await made.state() is False
    assert raised.value.english.startswith("smart: ")
    assert raised.value.english.endswith(f"Log: {made.log}")
    assert "\n" not in raised.value.english
    return raised.value


async def test_load_returns_once_it_answers_and_unload_leaves_nothing(tmp_path: Path) -> None:
    made: Engine = engine(tmp_path)
    assert isinstance(made, ProcessEngine)
    assert (made.how, made.pid, await made.state()) == ("run", None, False)
    async with loaded(made) as pid:
        assert await made.state() is True
        assert (await fetch(f"http://127.0.0.1:{made.port}", "/health")).status == 200
        await made.load(LAST_RESORT_S)
        assert made.pid == pid  # it was there already
        await made.unload()
        assert await made.state() is False
        assert not alive(pid)
        await made.unload()


async def test_it_can_be_loaded_again_on_the_same_port(tmp_path: Path) -> None:
    made = engine(tmp_path)
    async with loaded(made) as first:
        port = made.port
        await made.unload()
        await made.load(LAST_RESORT_S)
        assert made.pid != first
        assert made.port == port


async def test_one_that_ends_by_itself_is_told_once_and_stays_down(tmp_path: Path) -> None:
    made, told = engine(tmp_path), list[LoadFailed]()
    made.ended = told.append
    async with loaded(made) as pid:
        os.kill(pid, signal.SIGSEGV)
        await eventually(lambda: told)
        assert (made.pid, await made.state()) == (None, False)
        await made.load(LAST_RESORT_S)
    [said] = told
    assert said.reason is Reason.CRASHED
    assert "its engine ended by itself (SIGSEGV)" in said.english
    assert "SIGSEGV" in said.japanese


async def test_unloading_is_nothing_to_be_told_of(tmp_path: Path) -> None:
    made, told = engine(tmp_path), list[LoadFailed]()
    made.ended = told.append
    async with loaded(made):
        await made.unload()
    assert not told


async def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    failed = await failure(ProcessEngine("smart", program_of(command=("no-such-engine",)), Ports(), tmp_path / "log"))
    assert failed.reason is Reason.COMMAND_MISSING
    assert "its command no-such-engine is not there" in failed.english


async def test_a_command_that_may_not_be_executed(tmp_path: Path) -> None:
    (tmp_path / "serve").write_text("#!/bin/sh\n")
    failed = await failure(
        ProcessEngine("smart", program_of(command=(str(tmp_path / "serve"),)), Ports(), tmp_path / "log")
    )
    assert failed.reason is Reason.COMMAND_REFUSED
    assert "chmod +x" in failed.english


async def test_one_that_ends_before_it_answers_is_told_with_its_last_words(tmp_path: Path) -> None:
    failed = await failure(engine(tmp_path, "says=ValueError: no such quantisation", "ends=3"))
    assert failed.reason is Reason.ENDED_EARLY
    assert "ended before it answered (status 3): ValueError: no such quantisation" in failed.english


async def test_one_that_runs_out_of_memory(tmp_path: Path) -> None:
    limited = ("prlimit", f"--as={256 << 20}", *COMMAND)
    made = ProcessEngine("smart", program_of("takes=1024", command=limited), Ports(), tmp_path / "log")
    failed = await failure(made)
    assert failed.reason is Reason.OUT_OF_MEMORY
    assert "its engine ran out of memory (status 1): MemoryError" in failed.english


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group of ours in which a process gets 64 MiB, and nothing else of the kernel."""
    for folder, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        group = Path(folder, f"hayate-test-{os.getpid()}")
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / limit).write_text(str(64 << 20))
            yield group
        except OSError:
            continue
        else:
            return
        finally:
            group.rmdir()
    pytest.skip("no control group of one's own")


async def test_one_that_the_kernel_kills_for_want_of_memory(tmp_path: Path, small_group: Path) -> None:
    moved = ("sh", "-c", f'echo $$ > {small_group}/cgroup.procs; echo here; exec "$@"', "sh", *COMMAND)
    failed = await failure(ProcessEngine("smart", program_of("takes=500", command=moved), Ports(), tmp_path / "log"))
    assert failed.reason is Reason.OUT_OF_MEMORY
    assert "its engine ran out of memory (SIGKILL): the kernel killed it" in failed.english


async def test_one_that_never_answers_is_ended_in_the_end(tmp_path: Path) -> None:
    made = engine(tmp_path, "says=reading the weights", "hangs")
    for limit_s in (1, 4, 16, 64):
        failed = await failure(made, limit_s)
        assert failed.reason is Reason.START_TIMEOUT
        assert f"did not answer within {limit_s} s of its start" in failed.english
        if "its last words: reading the weights" in failed.english:  # it had the time to say anything
            return
    raise AssertionError(failed.english)


async def test_a_load_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    made = engine(tmp_path, "hangs")
    loading = asyncio.create_task(made.load(NEVER_S))
    await eventually(lambda: made.pid is not None)
    pid = made.pid
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    assert pid is not None
    assert not alive(pid)


async def test_unloading_one_that_loads_ends_the_load(tmp_path: Path) -> None:
    made = engine(tmp_path, "hangs")
    loading = asyncio.create_task(made.load(NEVER_S))
    await eventually(lambda: made.pid is not None)
    await made.unload()
    with pytest.raises(LoadFailed, match="was ended while it started"):
        await loading


async def test_a_port_that_somebody_took_is_given_up_and_that_is_told(tmp_path: Path) -> None:
    made, moves = engine(tmp_path), list[tuple[int, int]]()
    made.moved = lambda old, new: moves.append((old, new))
    old = made.port
    with socket.create_server(("127.0.0.1", old)):
        async with loaded(made):
            assert moves == [(old, made.port)]
            assert made.port != old


async def test_a_port_that_is_lost_while_it_starts_is_given_up_too(tmp_path: Path) -> None:
    made, moves = engine(tmp_path, "says=OSError: [Errno 98] Address already in use", "ends=1"), list[int]()
    made.moved = lambda old, new: moves.append(new)
    failed = await failure(made)
    assert failed.reason is Reason.PORT_TAKEN
    assert len(set(moves)) == len(moves) == 2
