"""The child engine: real llama.cpp, as its keeper starts it."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hayate.engines.llamacpp import CHILD, LlamaCpp
from hayate.tools.embedded.child import MODEL_REFUSED, PORT_TAKEN
from tests.support.http import fetch
from tests.support.waiting import LAST_RESORT_S, eventually
from tests.unit.tools.embedded.engine import ANSWER, KEY, QUESTION, answers, ask, settings

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def running_child(engine: LlamaCpp) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *CHILD, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    assert process.stdin is not None
    process.stdin.write(engine.render().encode())
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


async def test_sigterm_ends_it_at_once() -> None:
    engine = settings()
    async with running_child(engine) as process:
        await eventually(lambda: answers(engine.port))
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(LAST_RESORT_S):
            assert await process.wait() == -signal.SIGTERM


async def test_a_wanted_model_is_found_first_with_as_much_context_as_it_has_within_bounds() -> None:
    engine = dataclasses.replace(settings(), is_wanted=True, context_tokens=None, slots=1)
    engine = dataclasses.replace(engine, model=os.path.relpath(engine.model))
    async with running_child(engine):
        await eventually(lambda: answers(engine.port))
        props = await fetch(f"http://127.0.0.1:{engine.port}", "/props", key=KEY)
        assert props.json["default_generation_settings"]["n_ctx"] == 4096


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"model": "no/such.gguf"}, b"does not exist"),
        ({"context_tokens": 1 << 20}, b"tokens of context, not 1048576"),
        ({"slots": 1 << 20}, b"needs about"),
    ],
    ids=["missing", "context", "memory"],
)
async def test_a_wanted_model_that_can_not_be_had_is_one_line_of_error(wanted: dict[str, object], words: bytes) -> None:
    engine = dataclasses.replace(settings(), is_wanted=True, **wanted)  # type: ignore[arg-type]
    async with running_child(engine) as process:
        assert process.stdout is not None
        said = await asyncio.wait_for(process.stdout.read(), LAST_RESORT_S)
        assert await process.wait() == MODEL_REFUSED
    assert words in said.splitlines()[-1]


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
