"""`hayate status` beside real gateways with engines in every state; what scripts go by."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine_script import error
from tests.support.fake_engine import running_engine
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import fetch
from tests.support.nursery import run
from tests.support.ports import free_port
from tests.support.scene import PLAIN, Stage, settings
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

READY, DEGRADED, UNREACHABLE = 0, 1, 2
QUICK = {"probe_interval_s": 0.1}


async def status(*arguments: str, env: dict[str, str], cwd: Path | None = None) -> tuple[int, str, str]:
    """The exit status, standard output and standard error of `hayate status`."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    settings = {**kept, "LANG": "C.UTF-8", **env}
    ended = await asyncio.to_thread(run, ["status", *arguments], settings, cwd or Path.cwd())
    return ended.returncode, ended.stdout, ended.stderr


async def of(gateway: RunningGateway, *arguments: str, **env: str) -> tuple[int, str, str]:
    """As its operator asks, from the settings that it was started with."""
    folders = {"HAYATE_DATA": str(gateway.data), "XDG_RUNTIME_DIR": str(gateway.data.parent)}
    return await status(*arguments, env={**folders, "HAYATE_PORT": str(gateway.port), **env})


def operators_key(gateway: RunningGateway) -> str:
    return (gateway.data / "admin_key").read_text(encoding="ascii").strip()


async def values_of(gateway: RunningGateway) -> tuple[int, dict[str, Any]]:
    code, out, _ = await of(gateway, "--json")
    return code, json.loads(out)


async def test_from_ready_to_degraded_and_back(tmp_path: Path) -> None:
    async with running_engine() as one, running_engine() as other:
        config = settings(one.url, other.url, health=QUICK)
        async with running_gateway(config=config) as gateway:

            async def replicas() -> list[bool]:
                told = (await fetch(gateway.url, "/admin/status", key=operators_key(gateway))).json
                return [each["healthy"] for each in told["deployments"][0]["replicas"]]

            async def is_ready() -> bool:
                return await replicas() == [True, True]

            async def is_degraded() -> bool:
                return await replicas() == [True, False]

            await eventually(is_ready, 60)
            code, out, err = await of(gateway)
            assert (code, err) == (READY, "")
            assert "\x1b" not in out
            assert f"{one.url}" in out
            assert "default → scripted" in out

            await other.refuse()
            other.drop_connections()
            await eventually(is_degraded, 60)
            code, values = await values_of(gateway)
            [deployment] = values["deployments"]
            assert (values["status"], deployment["state"]) == ("degraded", "degraded")
            assert [each["ready"] for each in deployment["replicas"]] == [True, False]
            assert deployment["replicas"][1]["last_error"]["at"].endswith("Z")
            code, out, _ = await of(gateway, HAYATE_LANG="ja")
            assert code == DEGRADED
            assert "一部利用不可" in out

            await other.listen()
            await eventually(is_ready, 60)
            assert (await values_of(gateway))[0] == READY


async def test_an_engine_that_fails_says_so_and_the_others_words_stay_text() -> None:
    async with running_engine() as engine, running_gateway(config=settings(engine.url, health=QUICK)) as gateway:
        await gateway.ready()
        engine.script = error(500, "out of memory\x1b[2J")
        await Stage(engine, gateway).post(PLAIN)
        code, out, _ = await of(gateway)
        assert (code, "last error" in out, "out of memory" in out, "\x1b" in out) == (READY, True, True, False)


async def test_an_engine_that_never_was_there() -> None:
    async with running_gateway(config=settings(f"http://127.0.0.1:{free_port()}", health=QUICK)) as gateway:
        code, values = await values_of(gateway)
        assert code == DEGRADED
        assert values["deployments"][0]["state"] == "down"


async def test_other_ways_to_the_same_gateway(tmp_path: Path) -> None:
    async with (
        running_engine() as engine,
        running_gateway({"HAYATE_HOST": "0.0.0.0"}, config=settings(engine.url, health=QUICK)) as gateway,
    ):
        await gateway.ready()
        config = str(gateway.data.parent / "config.yaml")
        by_file = {"HAYATE_DATA": str(gateway.data), "HAYATE_PORT": str(gateway.port), "HAYATE_HOST": "0.0.0.0"}
        assert (await status("--config", config, env=by_file))[0] == READY
        assert (await status("--url", f"localhost:{gateway.port}", env={"HAYATE_ADMIN_KEY": operators_key(gateway)}))[
            0
        ] == READY
        env_file = tmp_path / ".env"
        env_file.write_text(f"HAYATE_PORT={gateway.port}\nHAYATE_DATA={gateway.data}\n", encoding="utf-8")
        assert (await status(env={}, cwd=tmp_path))[0] == READY

        code, _, err = await of(gateway, HAYATE_ADMIN_KEY="sk-hayate-admin-of-another-gateway")
        assert (code, "HAYATE_ADMIN_KEY" in err) == (UNREACHABLE, True)
        (tmp_path / "admin_key").write_text("sk-hayate-admin-of-another-gateway", encoding="ascii")
        (tmp_path / "api_key").write_text("sk-hayate-of-another-gateway", encoding="ascii")
        wrong = {"HAYATE_DATA": str(tmp_path), "HAYATE_PORT": str(gateway.port)}
        code, _, err = await status(env=wrong)
        assert (code, str(tmp_path / "admin_key") in err) == (UNREACHABLE, True)


@pytest.mark.parametrize(
    ("language", "says"), [("en", "No gateway answers at"), ("ja", "動作中のゲートウェイがありません")]
)
async def test_where_no_gateway_runs(tmp_path: Path, language: str, says: str) -> None:
    port = str(free_port())
    env = {"HAYATE_PORT": port, "HAYATE_LANG": language, "XDG_RUNTIME_DIR": str(tmp_path)}
    code, out, err = await status("--json", cwd=tmp_path, env=env)
    assert code == UNREACHABLE
    values = json.loads(out)
    assert (values["status"], values["url"]) == ("unreachable", f"http://127.0.0.1:{port}")
    assert says in err
    assert "Traceback" not in err
    assert err.count("\n") == 1


async def test_a_mistake_in_the_configuration_is_told(tmp_path: Path) -> None:
    code, _, err = await status(cwd=tmp_path, env={"HAYATE_PORT": "abc", "XDG_RUNTIME_DIR": str(tmp_path)})
    assert code == UNREACHABLE
    assert "port" in err.lower()
    assert "Traceback" not in err
