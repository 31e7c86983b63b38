"""The image for real: `gateway/scripts/test-image` builds it and runs this."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hayate.config.models import ServerConfig
from tests.deploy.container import Container, Image, running_container, volume
from tests.engines.known import JAPANESE
from tests.engines.launch import EngineProcess, running_llamacpp
from tests.support.http import connection, fetch, request_bytes
from tests.support.waiting import LAST_RESORT_S, eventually

pytestmark = [pytest.mark.slow, pytest.mark.anyio]
GRACE_S = 75


@pytest.fixture(scope="module")
def image() -> Image:
    if not os.environ.get("HAYATE_IMAGE"):
        pytest.skip("no image was built: run gateway/scripts/test-image (needs docker or podman)")
    return Image(os.environ.get("HAYATE_CONTAINER_TOOL", "docker"), os.environ["HAYATE_IMAGE"])


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with running_llamacpp(tmp_path_factory.mktemp("llamacpp")) as process:
        yield process


@pytest.fixture(scope="module")
def data(image: Image) -> Iterator[str]:
    with volume(image) as name:
        yield name


@pytest.fixture
def gateway(image: Image, engine: EngineProcess, data: str) -> Iterator[Container]:
    with running_container(image, data, engine.env) as container:
        yield container


async def up(container: Container) -> float:
    """Seconds from now until /health answers."""

    async def alive() -> bool:
        try:
            return (await fetch(container.url, "/health")).status == 200
        except OSError:
            return False

    return await eventually(alive)


def chat(prompt: str, **more: object) -> dict[str, object]:
    return {"model": "default", "messages": [{"role": "user", "content": prompt}], "temperature": 0, **more}


def test_it_runs_as_its_own_user_and_holds_nothing_that_builds(image: Image) -> None:
    assert image.once("-u", entrypoint="id") == "10001"
    assert image.details()["Config"]["User"] == "10001:10001"
    assert image.once("-c", "command -v gcc cc make || echo none", entrypoint="sh") == "none"
    probe = "import importlib.util as u; print([n for n in ('pip', 'setuptools', 'pytest') if u.find_spec(n)])"
    assert image.once("-c", probe, entrypoint="python") == "[]"
    print(f"\nimage: {image.details()['Size'] / 1e6:.0f} MB")


def test_it_checks_a_configuration(image: Image) -> None:
    assert "vllm" in image.once("check-config")


async def test_it_answers_a_chat_with_a_root_it_cannot_write_to(gateway: Container) -> None:
    started_s = await up(gateway)
    print(f"\nlistening after {started_s:.2f} s")
    assert gateway.refuses("touch", "/opt/hayate/anything")
    assert gateway.refuses("touch", "/etc/anything")
    key = gateway.run("hayate", "key")
    assert gateway.run("stat", "-c", "%a %u", "/data/api_key") == "600 10001"

    whole = await fetch(gateway.url, "/v1/chat/completions", chat("日本語で答えて"), key=key)
    assert whole.json["choices"][0]["message"]["content"] == JAPANESE
    assert (await fetch(gateway.url, "/v1/models")).status == 401
    assert gateway.run(*gateway.image.health_command()) == ""


async def test_the_key_outlives_the_container(image: Image, engine: EngineProcess, data: str) -> None:
    keys = []
    for _ in range(2):
        with running_container(image, data, engine.env) as container:
            await up(container)
            keys.append(container.run("hayate", "key"))
    assert keys[0] == keys[1]


async def test_it_stops_within_its_grace_and_running_streams_end_whole(gateway: Container) -> None:
    assert ServerConfig().drain_s < GRACE_S
    await up(gateway)
    key = gateway.run("hayate", "key")
    body = chat("repeat", stream=True, max_tokens=6000, ignore_eos=True)
    async with connection(gateway.url, limit_s=60) as client:
        await client.send(request_bytes("POST", "/v1/chat/completions", body, key))
        assert (await client.read_head()).status == 200
        frames = client.frames()
        await anext(frames)
        stopping = asyncio.create_task(asyncio.to_thread(gateway.stop, GRACE_S))
        last = [frame async for frame in frames][-2:]
        ended_at = time.monotonic()
    status, took_s = await stopping
    print(f"\nstopped in {took_s:.2f} s, {time.monotonic() - ended_at:.2f} s of it after the last answer")
    assert status == 0, gateway.logs()
    assert last[-1].data == "[DONE]"
    assert last[-2].json["choices"][0]["finish_reason"] == "length"
    assert took_s < GRACE_S


def test_a_stop_right_after_the_start_is_a_stop(gateway: Container) -> None:
    _, took_s = gateway.stop(GRACE_S)
    assert took_s < 10


def test_a_config_mistake_is_named_and_nothing_starts(image: Image, data: str, tmp_path: Path) -> None:
    with running_container(image, data, {"LLM_BACKEND": "vlm"}) as container:
        ends_at = time.monotonic() + LAST_RESORT_S
        while time.monotonic() < ends_at and "vlm" not in container.logs():
            time.sleep(0.2)
        assert "backend" in container.logs()
        assert "Traceback" not in container.logs()
