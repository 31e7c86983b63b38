"""What the system tells of processes."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from hayate.engines.proc import descendants, is_there, memory_group, oom_kills
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


@pytest.mark.parametrize(
    ("cgroup", "file", "found"),
    [
        ("0::/a/b\n", "sys/fs/cgroup/a/b/memory.events", 3),
        ("0::/a/b\n", "sys/fs/cgroup/memory.events", 3),
        ("5:cpu:/\n4:memory:/x\n0::/\n", "sys/fs/cgroup/memory/x/memory.oom_control", 3),
        ("0::/\n", "elsewhere", None),
        ("", "elsewhere", None),
    ],
)
def test_the_kernels_kills_are_counted_where_it_tells_of_them(
    tmp_path: Path, cgroup: str, file: str, found: int | None
) -> None:
    for name, text in (("proc/7/cgroup", cgroup), (file, "low 0\noom 9\noom_kill 3\n")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    group = memory_group(7, str(tmp_path))
    assert group == (str(tmp_path / file) if found is not None else None)
    assert oom_kills(group) == found
    assert memory_group(8, str(tmp_path)) is None


def test_our_own_group_is_found_or_none_is() -> None:
    found = oom_kills(memory_group(os.getpid()))
    assert found is None or found >= 0


def test_whether_a_program_is_there(tmp_path: Path) -> None:
    (tmp_path / "serve").touch()
    env = {"PATH": f"/no/such/folder:{tmp_path}"}
    assert is_there("serve", env)
    assert is_there(str(tmp_path / "serve"), {})
    assert not is_there("other", env)
    assert not is_there("/no/such/program", env)
    assert is_there("sh", {})
