"""What the system tells of processes."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from hayate.engines.proc import descendants, is_there, oom_kills
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio


async def test_everybody_below_is_found_and_nobody_who_has_ended() -> None:
    before = set(descendants())
    process = subprocess.Popen(["sh", "-c", "sleep 600 & sleep 600; true"], start_new_session=True)
    try:
        await eventually(lambda: len(set(descendants()) - before) == 3)
        assert process.pid in descendants()
        assert os.getpid() not in descendants()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
    await eventually(lambda: process.pid not in descendants())  # not collected yet
    process.wait()


def test_the_kernels_kills_are_counted_where_it_tells_of_them() -> None:
    found = oom_kills()
    assert found is None or found >= 0


def test_whether_a_program_is_there(tmp_path: Path) -> None:
    (tmp_path / "serve").touch()
    env = {"PATH": f"/no/such/folder:{tmp_path}"}
    assert is_there("serve", env)
    assert is_there(str(tmp_path / "serve"), {})
    assert not is_there("other", env)
    assert not is_there("/no/such/program", env)
    assert is_there("sh", {})
