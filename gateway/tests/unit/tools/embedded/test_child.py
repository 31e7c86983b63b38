"""The child engine: real llama.cpp, and it lives no longer than its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hayate.tools.embedded.child import MODEL_REFUSED, PORT_TAKEN
from hayate.tools.embedded.settings import EngineSettings
from hayate.tools.embedded.supervisor import COMMAND
from tests.support.http import fetch
from tests.support.processes import alive
from tests.support.waiting import LAST_RESORT_S, eventually
from tests.unit.tools.embedded.engine import ANSWER, KEY, QUESTION, answers, ask, settings

pytestmark = pytest.mark.anyio

# A parent that starts the child on the given standard input, tells its pid and waits to be killed.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-m", "hayate.tools.embedded.child"], stdin=int(sys.argv[1]))
print(child.pid, flush=True)
time.sleep(600)
"""


@asynccontextmanager
async def running_child(engine: EngineSettings) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    assert process.stdin is not None
    process.stdin.write(engine.render())
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_it_answers_on_loopback_with_its_key_only() -> None:
    engine = settings()
    async with running_child(engine):
        await eventually(lambda: answers(engine.port))
        assert await ask(engine.port) == ANSWER
        url = f"http://127.0.0.1:{engine.port}"
        assert (await fetch(url, "/v1/chat/completions", QUESTION)).status == 401
        assert "llamacpp:requests_processing" in (await fetch(url, "/metrics", key=KEY)).text
        assert (await fetch(url, "/v1/models", key=KEY)).json["data"][0]["id"] == "tiny-qwen2"
        assert (await fetch(url, "/slots", key=KEY)).status == 501
        assert (await fetch(url, "/", key=KEY)).status == 404


async def test_its_key_shows_in_no_process_list() -> None:
    engine = settings()
    async with running_child(engine) as process:
        await eventually(lambda: answers(engine.port))
        for name in ("cmdline", "environ"):
            assert KEY.encode() not in Path(f"/proc/{process.pid}/{name}").read_bytes()


async def test_it_ends_when_its_standard_input_does() -> None:
    engine = settings()
    async with running_child(engine) as process:
        await eventually(lambda: answers(engine.port))
        assert process.stdin is not None
        process.stdin.close()
        async with asyncio.timeout(LAST_RESORT_S):
            assert await process.wait() == 0


async def test_ctrl_c_is_left_to_the_parent_and_sigterm_ends_it_at_once() -> None:
    engine = settings()
    async with running_child(engine) as process:
        await eventually(lambda: answers(engine.port))
        process.send_signal(signal.SIGINT)
        assert await ask(engine.port) == ANSWER
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(LAST_RESORT_S):
            assert await process.wait() == -signal.SIGTERM


async def test_it_refuses_to_start_for_another_parent() -> None:
    async with running_child(settings(parent_pid=1)) as process:
        async with asyncio.timeout(LAST_RESORT_S):
            assert await process.wait() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process ask to die with its parent")
async def test_the_kernel_ends_it_with_its_parent_even_when_its_standard_input_stays_open() -> None:
    ours, theirs = os.pipe()
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(ours)], pass_fds=[ours], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        child_pid = int(await asyncio.to_thread(parent.stdout.readline))
        engine = settings(parent_pid=parent.pid)
        os.write(theirs, engine.render())
        await eventually(lambda: answers(engine.port))
    finally:
        parent.kill()
        parent.communicate()
    try:
        await eventually(lambda: not alive(child_pid))
    finally:
        os.close(ours)
        os.close(theirs)


async def test_a_taken_port_has_a_status_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with running_child(settings(port=taken.getsockname()[1])) as process:
            async with asyncio.timeout(LAST_RESORT_S):
                assert await process.wait() == PORT_TAKEN


async def test_a_model_that_llama_cpp_refuses_has_a_status_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(b"\x00" * 1000)
    async with running_child(settings(model=tmp_path / "m.gguf")) as process:
        async with asyncio.timeout(LAST_RESORT_S):
            assert await process.wait() == MODEL_REFUSED
