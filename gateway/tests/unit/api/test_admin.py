"""The operator's endpoints: what is running, a reload, and whose key they take."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from starlette.requests import Request

from hayate.api import admin
from hayate.api.gateway import Reloaded
from hayate.errors import RefusedConfig
from hayate.relay.ticker import Ticker
from hayate.store.store import Store
from tests.support.engine_script import error, silence
from tests.support.http import fetch
from tests.support.scene import PLAIN, Stage, scene
from tests.support.waiting import eventually
from tests.unit.api.bare import bare_gateway

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/admin/deployments"), ("GET", "/admin/queue"), ("POST", "/admin/reload")]
)
@pytest.mark.parametrize(("language", "says"), [("en", "this is the callers' key"), ("ja", "これは呼び出し用")])
async def test_a_callers_key_at_the_operators_paths_is_told_which_key_it_takes(
    stage: Stage, method: str, path: str, language: str, says: str
) -> None:
    headers = {"accept-language": language}
    reply = await fetch(stage.url, path, method=method, key=stage.key, headers=headers)
    assert reply.status == 401
    assert says in reply.text
    for key in (None, "sk-hayate-unknown-0123456789"):
        unknown = await fetch(stage.url, path, method=method, key=key, headers=headers)
        assert (unknown.status, says in unknown.text) == (401, False)
        assert "HAYATE_ADMIN_KEY" in unknown.text
    assert all("HAYATE_ADMIN_KEY" in text and "admin_key" in text for text in (reply.text, unknown.text))
    assert stage.operators_key not in reply.text + unknown.text


async def test_a_replicas_last_error_and_its_time_are_told_to_the_operator() -> None:
    async with scene() as stage:
        stage.engine.script = error(500, "out of memory")
        before = time.time()
        assert (await stage.post(PLAIN)).status == 502
        [deployment] = (await fetch(stage.url, "/admin/deployments", key=stage.operators_key)).json
        [replica] = deployment["replicas"]
        assert replica["state"] == "ok"
        assert "out of memory" in replica["last_error"]["text"]
        assert before - 1 < replica["last_error"]["at"] < time.time() + 1


async def test_what_is_running_is_told_as_it_is_addresses_and_all() -> None:
    async with scene(
        health={"probe_timeout_s": 30.0}
    ) as stage:  # a machine that is busy for long is no error of the engine's
        reply = await fetch(stage.url, "/admin/deployments", key=stage.operators_key)
    [scripted] = reply.json
    assert (reply.status, scripted["name"]) == (200, "scripted")
    assert (scripted["engine"], scripted["model"], scripted["context_tokens"]) == ("vllm", "scripted", 4096)
    assert (scripted["in_flight"], scripted["queued"]) == (0, 0)
    [replica] = scripted["replicas"]
    assert replica["url"] == stage.engine.url
    assert (replica["healthy"], replica["available"], replica["state"]) == (True, True, "ok")
    assert (replica["in_flight"], replica["last_error"], replica["models"]) == (0, None, ["scripted"])


async def test_calls_that_run_and_wait_are_told_while_they_do() -> None:
    async with scene(max_in_flight=1) as stage:
        stage.engine.script = [silence]
        calls = [asyncio.create_task(stage.post(PLAIN)) for _ in range(3)]

        async def told() -> bool:
            [deployment] = (await fetch(stage.url, "/admin/deployments", key=stage.operators_key)).json
            return (deployment["in_flight"], deployment["queued"], deployment["replicas"][0]["in_flight"]) == (1, 2, 1)

        await eventually(told)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


NOTHING = Request({"type": "http"})


async def test_a_reload_tells_what_it_did_and_what_only_a_restart_does(store: Store) -> None:
    async def reload() -> Reloaded:
        return Reloaded(("a", "b"), {"default": ("a",)}, ("server.port",))

    answer = await admin.reload(NOTHING, bare_gateway(Ticker(), store, reload=reload))
    assert (answer.status_code, answer.media_type) == (200, "application/json")
    assert json.loads(bytes(answer.body)) == {
        "deployments": ["a", "b"],
        "aliases": {"default": ["a"]},
        "restart_needed": ["server.port"],
    }


async def test_a_reload_that_is_refused_is_an_error_of_the_files(store: Store) -> None:
    async def reload() -> Reloaded:
        raise RefusedConfig("line 3: no", "3行目: 誤り")

    with pytest.raises(RefusedConfig, match="line 3"):
        await admin.reload(NOTHING, bare_gateway(Ticker(), store, reload=reload))
