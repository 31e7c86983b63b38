"""The supervisor: a dead child is started again, a hanging one is ended, and none is left behind."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from hayate.engines.llamacpp import LlamaCpp
from hayate.engines.process import Patience
from hayate.engines.program import Program
from hayate.tools.embedded.backoff import Backoff
from hayate.tools.embedded.refusals import EngineFailed
from hayate.tools.embedded.supervisor import Supervisor
from hayate.tools.embedded.weights import tiny
from tests.support.processes import alive, children
from tests.support.waiting import LAST_RESORT_S, eventually
from tests.unit.tools.embedded.engine import ANSWER, answers, ask, settings

pytestmark = pytest.mark.anyio


class Heard:
    """What the supervisor said."""

    def __init__(self) -> None:
        self.english: list[str] = []
        self.japanese: list[str] = []

    def __call__(self, english: str, japanese: str) -> None:
        self.english.append(english)
        self.japanese.append(japanese)


def supervisor(
    engine: LlamaCpp,
    tmp_path: Path,
    *,
    heard: Heard | None = None,
    patience: Patience | None = None,
    program: Program | None = None,
) -> Supervisor:
    log, say = tmp_path / "engine.log", heard or Heard()
    return Supervisor(engine, log, say, patience=patience, backoff=Backoff(first_s=0.1), program=program)


@asynccontextmanager
async def started(supervisor: Supervisor) -> AsyncIterator[int]:
    """The child's pid, once it answers."""
    await supervisor.start()
    try:
        assert supervisor.pid is not None
        yield supervisor.pid
    finally:
        await supervisor.stop()


@pytest.fixture
def left_behind() -> Callable[[], set[int]]:
    """The children that this test started and did not end; engines of the session may run beside them."""
    before = set(children(os.getpid()))
    return lambda: set(children(os.getpid())) - before


async def test_start_returns_once_the_engine_answers_and_stop_leaves_nothing(tmp_path: Path) -> None:
    engine = settings()
    async with started(supervisor(engine, tmp_path)) as pid:
        assert await ask(engine.port) == ANSWER
    assert not alive(pid)
    assert not await answers(engine.port)


async def test_a_killed_engine_is_started_again_on_the_same_port_and_that_is_said(
    tmp_path: Path, left_behind: Callable[[], set[int]]
) -> None:
    engine, heard = settings(), Heard()
    supervised = supervisor(engine, tmp_path, heard=heard)
    async with started(supervised) as pid:
        os.kill(pid, signal.SIGSEGV)
        await eventually(lambda: supervised.pid not in (pid, None))
        await eventually(lambda: answers(engine.port))
        assert await ask(engine.port) == ANSWER
    [said] = heard.english
    assert said.startswith("tiny-qwen2.gguf: its engine ended by itself (SIGSEGV)")
    assert said.endswith("; starting it again in 0.1 s.")
    assert "再起動" in heard.japanese[0]
    assert not left_behind()


async def test_an_engine_that_dies_again_and_again_is_started_less_and_less_often(tmp_path: Path) -> None:
    engine, heard = settings(), Heard()
    supervised = supervisor(engine, tmp_path, heard=heard)
    async with started(supervised):
        for number in range(1, 4):

            def dead(number: int = number) -> bool:
                """Once that is said; until then it is killed as often as it is there."""
                if len(heard.english) < number and supervised.pid is not None:
                    with suppress(ProcessLookupError):  # it has just ended
                        os.kill(supervised.pid, signal.SIGKILL)
                return len(heard.english) >= number

            await eventually(dead)
    waits = [line.rpartition(" in ")[2] for line in heard.english]
    assert waits == ["0.1 s.", "0.2 s.", "0.4 s."]


async def test_an_engine_that_hangs_is_ended_and_started_again(tmp_path: Path) -> None:
    engine, heard = settings(), Heard()
    program = dataclasses.replace(engine.program(os.environ), silent_s=0.5)
    patience = Patience(watch_s=0.05)
    supervised = supervisor(engine, tmp_path, heard=heard, patience=patience, program=program)
    async with started(supervised) as pid:
        os.kill(pid, signal.SIGSTOP)
        await eventually(lambda: not alive(pid))
        await eventually(lambda: answers(engine.port))
    assert "did not answer any more and was ended" in heard.english[0]


async def test_stop_kills_an_engine_that_does_not_listen(tmp_path: Path) -> None:
    supervised = supervisor(settings(), tmp_path)
    async with started(supervised) as pid:
        os.kill(pid, signal.SIGSTOP)
        await asyncio.wait_for(supervised.stop(), LAST_RESORT_S)
        assert not alive(pid)


async def test_stop_while_waiting_to_start_again_starts_nothing(
    tmp_path: Path, left_behind: Callable[[], set[int]]
) -> None:
    heard = Heard()
    supervised = supervisor(settings(), tmp_path, heard=heard)
    async with started(supervised) as pid:
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: heard.english)
        await supervised.stop()
        await asyncio.sleep(0.3)
        assert not left_behind()


async def test_cancelling_the_start_leaves_nothing(tmp_path: Path) -> None:
    sleeping = Program((sys.executable, "-c", "import time; time.sleep(600)"), dict(os.environ))
    supervised = supervisor(settings(), tmp_path, program=sleeping)
    starting = asyncio.create_task(supervised.start())
    await eventually(lambda: supervised.pid is not None)
    pid = supervised.pid
    assert pid is not None
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not alive(pid)


async def test_a_damaged_model_is_one_sentence_with_llama_cpps_reason(
    tmp_path: Path, left_behind: Callable[[], set[int]]
) -> None:
    (tmp_path / "m.gguf").write_bytes(tiny().path.read_bytes()[:1_000_000])
    with pytest.raises(EngineFailed) as refusal:
        await supervisor(settings(model=tmp_path / "m.gguf"), tmp_path).start()
    assert "corrupted or incomplete" in refusal.value.english
    assert "\n" not in refusal.value.english
    assert not left_behind()


async def test_a_program_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="is not there"):
        await supervisor(settings(), tmp_path, program=Program((str(tmp_path / "none"),), {})).start()


async def test_the_engines_output_goes_to_its_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "engine.log"
    async with started(supervisor(settings(), tmp_path)):  # llama.cpp writes its log behind the answer it just gave
        await eventually(lambda: "listening on http://127.0.0.1:" in log.read_text(encoding="utf-8"))
    assert capfd.readouterr() == ("", "")
