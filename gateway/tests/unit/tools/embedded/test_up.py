"""`hayate up` as a newcomer meets it: real processes, real llama.cpp, no network."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hayate.config.models import Config
from hayate.engines.ports import RANGE
from hayate.tools.embedded.options import UpOptions
from hayate.tools.embedded.up import configuration
from hayate.tools.embedded.up import free_port as child_port
from hayate.tools.embedded.weights import DEFAULT, tiny
from tests.support.gateway import Process, RunningGateway, running_gateway
from tests.support.http import connection, fetch, request_bytes
from tests.support.hub_stand_in import hub_stand_in
from tests.support.ports import free_port
from tests.support.processes import alive, engines_of
from tests.support.waiting import LAST_RESORT_S, NEVER_S, eventually
from tests.unit.tools.embedded.engine import ANSWER, QUESTION

pytestmark = pytest.mark.anyio

HAYATE = str(Path(sys.executable).with_name("hayate"))
TINY = str(tiny().path)
"""What a busy machine may add; on a quiet one the end takes 1.3 s with a stream running."""
LONG = {**QUESTION, "stream": True, "max_tokens": 3500, "ignore_eos": True}


def configured(text: str, tmp_path: Path) -> Config:
    """The configuration of `hayate up` with this file."""
    (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
    return configuration(UpOptions(config=tmp_path / "c.yaml", slots=3), {}, 1234, "engine-key")


@asynccontextmanager
async def running_up(env: dict[str, str] | None = None, *, config: str | None = None) -> AsyncIterator[RunningGateway]:
    """`hayate up` on the tiny model, ready, and it has said so."""
    settings = {"MODEL": TINY, **(env or {})}
    async with running_gateway(settings, config=config, verb="up") as gateway:
        await gateway.ready()
        await eventually(lambda: "curl" in gateway.stderr())
        yield gateway


async def chat(gateway: RunningGateway, key: str | None = None, **fields: object) -> str:
    reply = await fetch(gateway.url, "/v1/chat/completions", {**QUESTION, **fields}, key=key or gateway.key)
    assert reply.status == 200, reply.text
    content: str = reply.json["choices"][0]["message"]["content"]
    return content


async def ended(process: Process) -> None:
    """Until the process has ended."""
    async with asyncio.timeout(LAST_RESORT_S):
        await process.wait()


async def test_the_embedded_engine_is_the_default_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    plain = configured("server: {port: 9}\n", tmp_path)
    embedded = plain.deployments["embedded"]
    assert (next(iter(plain.deployments)), plain.aliases) == ("embedded", {})
    assert (embedded.backend, embedded.replicas, embedded.max_in_flight) == ("llamacpp", ("http://127.0.0.1:1234",), 3)
    assert plain.server.port == 9
    file = "deployments: {big: {backend: vllm, replicas: ['http://big:8000']}}\naliases: {default: [big, embedded]}\n"
    beside = configured(file, tmp_path)
    assert list(beside.deployments) == ["embedded", "big"]
    assert beside.aliases["default"] == ("big", "embedded")


async def test_the_drain_is_short_and_the_probe_quick_unless_set(tmp_path: Path) -> None:
    plain = configured("{}", tmp_path)
    assert (plain.server.drain_s, plain.health.probe_interval_s) == (1.0, 1.0)
    chosen = configured("server: {drain_s: 20}\nhealth: {probe_interval_s: 7}\n", tmp_path)
    assert (chosen.server.drain_s, chosen.health.probe_interval_s) == (20.0, 7.0)


async def test_the_childs_port_is_free_and_none_that_an_outgoing_connection_may_get() -> None:
    port = child_port()
    assert port in RANGE
    socket.create_server(("127.0.0.1", port)).close()


async def test_the_first_start_offline_makes_a_key_tells_everything_and_its_curl_works(tmp_path: Path) -> None:
    offline = {"MODEL": "", "HF_ENDPOINT": f"http://127.0.0.1:{free_port()}", "HF_HOME": str(tmp_path)}
    async with running_up({**offline, "HAYATE_API_KEY": ""}) as gateway:
        said = gateway.stderr()
        key = (gateway.data / "api_key").read_text(encoding="ascii").strip()
        assert stat.S_IMODE((gateway.data / "api_key").stat().st_mode) == 0o600
        assert said.count(key) == 1
        assert f"Hayate is ready: {gateway.url}" in said
        assert said.count("noise") == 1
        (curl,) = re.findall(r"^curl (?:.*\\\n)+.*$", said, re.MULTILINE)
        process = await asyncio.create_subprocess_exec("bash", "-c", f"{curl} -sS", stdout=asyncio.subprocess.PIPE)
        answer = (await process.communicate())[0].decode()
        texts = re.findall(r'"content":"([^"]*)"', answer)
        assert "".join(texts) == ANSWER
        assert answer.endswith("data: [DONE]\n\n")
        assert await chat(gateway, key) == ANSWER


async def test_a_later_start_keeps_the_key_and_does_not_show_it(tmp_path: Path) -> None:
    data = {"HAYATE_DATA": str(tmp_path / "data"), "HAYATE_API_KEY": ""}
    async with running_up(data):
        key = (tmp_path / "data" / "api_key").read_text(encoding="ascii").strip()
    async with running_up(data) as again:
        assert key not in again.stderr()
        assert str(tmp_path / "data" / "api_key") in again.stderr()
        assert await chat(again, key) == ANSWER


async def test_the_model_is_the_default_and_goes_by_three_names() -> None:
    async with running_up() as gateway:
        assert await chat(gateway) == ANSWER
        for name in ("default", "fast", "smart", "embedded", "tiny-qwen2"):
            assert await chat(gateway, model=name) == ANSWER
        listed = (await fetch(gateway.url, "/v1/models", key=gateway.key)).json["data"]
        assert {"default", "fast", "smart", "embedded"} <= {model["id"] for model in listed}


async def test_a_japanese_terminal_is_spoken_to_in_japanese() -> None:
    async with running_up({"LANG": "ja_JP.UTF-8", "LC_ALL": "ja_JP.UTF-8"}) as gateway:
        assert "準備ができました" in gateway.stderr()
        assert "こんにちは" in gateway.stderr()
        assert "is ready" not in gateway.stderr()


async def test_the_engines_chatter_stays_out_of_the_terminal_and_its_log_is_ours_alone() -> None:
    async with running_up() as gateway:
        await chat(gateway)
        log = gateway.data / "engine.log"
        assert "listening on" in log.read_text(encoding="utf-8")
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
        assert "listening on" not in gateway.stderr()


async def test_the_default_model_comes_from_the_hub(tmp_path: Path) -> None:
    assert DEFAULT.file is not None
    with hub_stand_in({DEFAULT.repository: {DEFAULT.file: tiny().path.read_bytes()}}) as hub:
        async with running_up({"MODEL": "", "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path)}) as gateway:
            assert "Downloading" in gateway.stderr()
            assert await chat(gateway, model="qwen2.5-0.5b-instruct-q4_k_m") == ANSWER


async def test_ctrl_c_stops_both_with_a_stream_running() -> None:
    async with running_up() as gateway:
        (child,) = engines_of(gateway.pid)
        async with connection(gateway.url) as client:
            await client.send(request_bytes("POST", "/v1/chat/completions", LONG, gateway.key))
            assert (await client.read_head()).status == 200
            gateway.process.send_signal(signal.SIGINT)
            await ended(gateway.process)
        assert gateway.process.returncode == 0
        assert not alive(child)
        assert gateway.stderr().splitlines()[-2:] == ["Stopping. (Ctrl-C again: at once)", "Stopped."]


async def test_a_second_ctrl_c_ends_the_waiting_and_leaves_nothing_either() -> None:
    async with running_up(config=f"server: {{drain_s: {NEVER_S}}}\n") as gateway:
        (child,) = engines_of(gateway.pid)
        async with connection(gateway.url, buffer_bytes=4096) as client:
            await client.send(request_bytes("POST", "/v1/chat/completions", LONG, gateway.key))
            assert (await client.read_head()).status == 200  # and nothing more is read: the stream would go on and on
            gateway.process.send_signal(signal.SIGINT)
            await asyncio.sleep(0.5)
            assert gateway.running
            gateway.process.send_signal(signal.SIGINT)
            await ended(gateway.process)
        assert not alive(child)


async def test_ctrl_c_at_a_terminal_reaches_the_engine_through_the_gateway_only() -> None:
    async with running_up() as gateway:
        (child,) = engines_of(gateway.pid)
        assert os.getsid(child) != os.getsid(gateway.pid)


async def test_a_terminal_that_closes_takes_both_with_it(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    port = free_port()
    env = {**os.environ, "HAYATE_PORT": str(port), "HAYATE_DATA": str(tmp_path), "MODEL": TINY}
    # A session of its own whose terminal is the one just made, as a shell's would be.
    process = await asyncio.create_subprocess_exec(
        "setsid", "--ctty", HAYATE, "up", env=env, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)

    async def is_ready() -> bool:
        try:
            return (await fetch(f"http://127.0.0.1:{port}", "/health/readiness")).status == 200
        except ConnectionError:
            return False

    try:
        await eventually(is_ready, every_s=0.05)
        (child,) = engines_of(process.pid)
        os.close(ours)
        await ended(process)
        assert process.returncode == 0
        await eventually(lambda: not alive(child))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_an_engine_that_hangs_does_not_hold_up_the_end() -> None:
    async with running_up() as gateway:
        (child,) = engines_of(gateway.pid)
        os.kill(child, signal.SIGSTOP)
        gateway.process.send_signal(signal.SIGINT)
        await ended(gateway.process)
        assert not alive(child)


async def test_a_killed_engine_comes_back_and_readiness_says_so() -> None:
    async with running_up() as gateway:

        async def readiness() -> int:
            return (await fetch(gateway.url, "/health/readiness")).status

        async def is_down() -> bool:
            for child in engines_of(gateway.pid):  # killed each time it comes back, until a probe has seen it gone
                os.kill(child, signal.SIGKILL)
            return await readiness() == 503

        await eventually(is_down, every_s=0.05)
        assert (await fetch(gateway.url, "/health")).status == 200
        refused = await fetch(gateway.url, "/v1/chat/completions", QUESTION, key=gateway.key)
        assert refused.status in (200, 502, 503)
        await gateway.ready()
        assert await chat(gateway) == ANSWER
        assert "starting it again in 0.5 s" in gateway.stderr()


async def test_the_engine_dies_with_a_gateway_that_is_killed() -> None:
    async with running_up() as gateway:
        (child,) = engines_of(gateway.pid)
        gateway.process.kill()
        await gateway.process.wait()
        await eventually(lambda: not alive(child))


async def test_a_file_may_set_the_server_and_name_the_embedded_engine(tmp_path: Path) -> None:
    config = f"server: {{max_body_bytes: 2048}}\naliases: {{fast: embedded}}\ndata: {tmp_path}/elsewhere\n"
    async with running_up({"HAYATE_DATA": ""}, config=config) as gateway:
        assert await chat(gateway, model="fast") == ANSWER
        large = await fetch(gateway.url, "/v1/chat/completions", {**QUESTION, "user": "x" * 4096}, key=gateway.key)
        assert large.status == 413
        assert (tmp_path / "elsewhere" / "engine.log").exists()
