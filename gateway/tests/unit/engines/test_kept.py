"""The gateway's end of a keeper: what it hears, and that waiting for it can be broken off."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from pathlib import Path

import pytest

from hayate.engines import kept as module
from hayate.engines.kept import Kept, NotStarted
from hayate.engines.program import Program
from tests.support.processes import alive, children
from tests.support.waiting import LAST_RESORT_S, eventually

pytestmark = pytest.mark.anyio


def program(*command: str, stdin: str | None = None, stop_s: float = LAST_RESORT_S) -> Program:
    return Program(command, dict(os.environ), stdin=stdin, stop_s=stop_s)


async def test_how_it_ended_comes_with_its_last_lines(tmp_path: Path) -> None:
    kept = await Kept.start(program("sh", "-c", "echo one; echo two >&2; exit 3"), tmp_path / "log")
    ending = await kept.ended
    assert (ending.status, ending.asked, ending.lines) == (3, False, ("one", "two"))
    text = (tmp_path / "log").read_text()
    assert text.startswith("[starting sh, ")
    assert text.endswith("]\none\ntwo\n[ended: status 3]\n")
    assert await kept.stop() == ending


async def test_without_a_log_the_output_is_shown_by_the_whole_line() -> None:
    shown: list[bytes] = []
    kept = await Kept.start(program("sh", "-c", "printf one; sleep 0.1; printf ' two\\nthree'"), None, shown.append)
    await kept.ended
    assert [line for line in b"".join(shown).splitlines() if not line.startswith(b"[")] == [b"one two", b"three"]


async def test_what_it_is_to_read_comes_first_and_then_its_input_stays_open(tmp_path: Path) -> None:
    kept = await Kept.start(
        program("sh", "-c", "read a; echo got $a; read b; echo over", stdin="secret\n"), tmp_path / "log"
    )
    await eventually(lambda: "got secret" in (tmp_path / "log").read_text())
    assert "secret" not in Path(f"/proc/{kept.pid}/cmdline").read_text()
    ending = await kept.stop()
    assert ending.status == -signal.SIGTERM


async def test_what_its_input_is_otherwise_is_empty(tmp_path: Path) -> None:
    kept = await Kept.start(program("cat"), tmp_path / "log")
    assert (await kept.ended).status == 0


@pytest.mark.parametrize(
    ("text", "mode", "number", "there"),
    [
        (None, 0, errno.ENOENT, False),
        ("#!/bin/sh\n", 0o600, errno.EACCES, True),
        ("echo", 0o700, errno.ENOEXEC, True),
        ("#!/no/such/interpreter\n", 0o700, errno.ENOENT, True),
    ],
)
async def test_a_program_that_can_not_be_started(
    tmp_path: Path, text: str | None, mode: int, number: int, there: bool
) -> None:
    path = tmp_path / "serve"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with pytest.raises(NotStarted) as raised:
        await Kept.start(program(str(path)), tmp_path / "log")
    assert (raised.value.number, raised.value.there) == (number, there)
    assert "[could not be started: " in (tmp_path / "log").read_text()


async def test_an_argument_that_no_program_can_have(tmp_path: Path) -> None:
    with pytest.raises(NotStarted) as raised:
        await Kept.start(program("sh", "a\0b"), tmp_path / "log")
    assert raised.value.number == errno.EINVAL


async def test_a_start_that_is_broken_off_leaves_nothing(tmp_path: Path) -> None:
    before = set(children(os.getpid()))
    for turns in range(6):
        starting = asyncio.create_task(Kept.start(program("sleep", "600"), tmp_path / "log"))
        for _ in range(turns):
            await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
    assert set(children(os.getpid())) <= before


async def test_a_large_environment_arrives(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"], **{f"V{number}": "x" * 100_000 for number in range(8)}}
    kept = await Kept.start(Program(("sh", "-c", "test ${#V7} = 100000"), env), tmp_path / "log")
    assert (await kept.ended).status == 0


async def test_a_keeper_that_hangs_is_killed_with_its_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MARGIN_S", 0.2)
    monkeypatch.setattr(module, "KILLED_S", 0.0)
    kept = await Kept.start(program("sleep", "600", stop_s=0.1), tmp_path / "log")
    os.kill(kept.keeper_pid, signal.SIGSTOP)
    await kept.stop()
    await eventually(lambda: not alive(kept.pid))
