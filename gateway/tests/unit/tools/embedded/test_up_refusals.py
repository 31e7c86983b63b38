"""Why `hayate up` does not start, each as one line and a status, never a traceback."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hayate.tools.embedded.refusals import EngineFailed
from hayate.tools.embedded.up import require_installed
from hayate.tools.embedded.weights import tiny
from tests.support.hub_stand_in import hub_stand_in
from tests.support.nursery import run
from tests.support.ports import free_port
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

HAYATE = str(Path(sys.executable).with_name("hayate"))
TINY = str(tiny().path)


def run_up(tmp_path: Path, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
    """`hayate up` until it ends by itself."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    settings = {"HAYATE_PORT": str(free_port()), "HAYATE_DATA": str(tmp_path / "data"), "MODEL": TINY, **env}
    return run(["up", *options], {**inherited, "LANG": "C.UTF-8", **settings}, tmp_path)


def one_sentence(process: subprocess.CompletedProcess[str]) -> str:
    """The one line of a refusal; anything else fails the test."""
    assert process.returncode != 0
    assert process.stdout == ""
    lines = [line for line in process.stderr.splitlines() if not line.startswith("Starting llama.cpp")]
    assert len(lines) == 1, process.stderr
    return lines[0]


async def test_a_taken_port_is_one_line_before_anything_else_happens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = await asyncio.to_thread(run_up, tmp_path, HAYATE_PORT=str(taken.getsockname()[1]))
    assert "is used by another program" in one_sentence(process)
    assert "HAYATE_PORT=" in process.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
async def test_an_address_that_is_not_ours_is_one_line(tmp_path: Path, host: str) -> None:
    assert "is no address of this machine" in one_sentence(await asyncio.to_thread(run_up, tmp_path, HAYATE_HOST=host))


async def test_a_missing_model_is_one_line_in_either_language(tmp_path: Path) -> None:
    model = str(tmp_path / "none.gguf")
    assert "does not exist" in one_sentence(await asyncio.to_thread(run_up, tmp_path, MODEL=model))
    assert "が存在しません" in one_sentence(await asyncio.to_thread(run_up, tmp_path, MODEL=model, HAYATE_LANG="ja"))


async def test_a_garbage_model_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(os.urandom(4096))
    process = await asyncio.to_thread(run_up, tmp_path, "--model", str(tmp_path / "m.gguf"))
    assert "not a usable GGUF" in one_sentence(process)


async def test_a_model_whose_tensors_are_cut_off_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(tiny().path.read_bytes()[:1_000_000])
    process = await asyncio.to_thread(run_up, tmp_path, MODEL=str(tmp_path / "m.gguf"))
    assert "corrupted or incomplete" in one_sentence(process)


async def test_a_named_model_that_the_hub_can_not_give_is_one_line(tmp_path: Path) -> None:
    env = {"HF_ENDPOINT": f"http://127.0.0.1:{free_port()}", "HF_HOME": str(tmp_path / "hf")}
    process = await asyncio.to_thread(run_up, tmp_path, MODEL="owner/repo:Q4_K_M", **env)
    assert "owner/repo can't be had from" in one_sentence(process)


async def test_too_little_memory_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "huge.gguf").write_bytes(tiny().path.read_bytes())
    os.truncate(tmp_path / "huge.gguf", 2**43)  # sparse: 8 TiB by its size
    process = await asyncio.to_thread(run_up, tmp_path, MODEL=str(tmp_path / "huge.gguf"))
    assert "needs about 8192." in one_sentence(process)


async def test_a_data_folder_that_can_not_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file", encoding="ascii")
    assert "data" in one_sentence(await asyncio.to_thread(run_up, tmp_path))
    given = await asyncio.to_thread(run_up, tmp_path, HAYATE_API_KEY="sk-0123456789abcdef")
    assert "HAYATE_DATA" in one_sentence(given)


async def test_a_mistake_in_the_file_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("server:\n  prot: 1\n", encoding="ascii")
    process = await asyncio.to_thread(run_up, tmp_path, "--config", str(tmp_path / "c.yaml"))
    assert "line 2: server.prot" in one_sentence(process)


async def test_an_engine_that_is_not_installed_is_one_sentence_that_says_how() -> None:
    require_installed()
    with pytest.raises(EngineFailed, match=r"no_such_engine.*make setup"):
        require_installed(["json", "no_such_engine"])


async def test_ctrl_c_while_the_hub_is_asked_is_no_traceback(tmp_path: Path) -> None:
    with hub_stand_in({}, silent=True) as hub:
        env = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path), "HAYATE_DATA": str(tmp_path / "data")}
        env |= {"HAYATE_PORT": str(free_port()), "MODEL": "owner/repo"}
        process = await asyncio.create_subprocess_exec(HAYATE, "up", env=env, stderr=asyncio.subprocess.PIPE)
        await eventually(lambda: hub.requests)
        process.send_signal(signal.SIGINT)
        said = (await process.communicate())[1].decode()
    assert process.returncode == 130
    assert said.splitlines() == ["Stopped."]
