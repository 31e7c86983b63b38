"""/admin/engines and llama-swap's paths: what is told, what is done, and for whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest
from starlette.requests import Request
from starlette.responses import Response

from hayate.api import engines
from hayate.api.gateway import Gateway
from hayate.engines.base import LoadFailed
from hayate.engines.refusals import NotSwitched, UnknownEngine
from hayate.errors import Overloaded, ShuttingDown
from hayate.reasons import Reason
from hayate.relay.ticker import Ticker
from hayate.store.store import Store
from tests.support.http import fetch
from tests.support.scene import Stage, scene
from tests.support.waiting import eventually
from tests.unit.api.bare import bare_gateway
from tests.unit.fleet.made import spec
from tests.unit.fleet.switched import GIB, Switched, managed, switching

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def beside(store: Store, *specs: Any) -> AsyncIterator[tuple[Switched, Gateway]]:
    """Models that come and go, and the gateway of a handler."""
    async with switching(*specs) as switched:
        bare = bare_gateway(Ticker(), store)
        bare.relay.fleet = switched.fleet
        switched.fleet.aliases = {"chat": ["fast"]}
        yield switched, replace(bare, engines=switched.driver)


def asked(method: str = "GET", **names: str) -> Request:
    return Request({"type": "http", "method": method, "headers": [], "query_string": b"", "path_params": names})


async def told(handler: Any, gateway: Gateway, **names: str) -> Any:
    answer: Response = await handler(asked(**names), gateway)
    assert answer.status_code == 200
    return orjson.loads(answer.body)


async def test_every_deployment_is_told_of(store: Store) -> None:
    async with beside(store, managed("fast"), spec("plain")) as (_, gateway):
        answer = await told(engines.list_engines, gateway)
        assert answer["gpus"] == [{"name": "gpu0", "memory_bytes": 24 * GIB, "used_bytes": 0}]
        fast, plain = answer["engines"]
        assert (fast["name"], fast["how"], fast["state"], fast["why"]) == ("fast", "run", "unloaded", "new")
        assert (fast["gpus"], fast["memory_bytes"], fast["in_flight"], fast["output_tokens"]) == (
            ["gpu0"],
            16 * GIB,
            0,
            0,
        )
        assert (plain["how"], plain["state"], plain["since_s"], plain["has_log"]) == (None, "not_ready", None, False)


async def test_a_model_is_loaded_and_unloaded_by_its_name_or_an_alias(store: Store) -> None:
    async with beside(store, managed("fast"), managed("smart")) as (switched, gateway):
        for name in ("fast", "chat"):
            assert (await told(engines.load_engine, gateway, engine=name))["state"] == "ready"
            assert switched.loaded() == {"fast"}
            assert (await told(engines.unload_engine, gateway, engine=name))["state"] == "unloaded"
            assert switched.loaded() == set()
        await told(engines.load_engine, gateway, engine="smart")
        assert (await told(engines.load_engine, gateway, engine="fast"))["state"] == "ready"
        assert switched.loaded() == {"fast"}


async def test_what_can_t_be_done_is_told(store: Store) -> None:
    async with beside(store, managed("fast"), spec("plain")) as (switched, gateway):
        for handler in (engines.load_engine, engines.unload_engine):
            with pytest.raises(UnknownEngine, match="fast, plain"):
                await handler(asked(engine="nobody"), gateway)
            with pytest.raises(NotSwitched, match="plain is not loaded"):
                await handler(asked(engine="plain"), gateway)
        switched.engines["fast"].fails = LoadFailed("It broke: CUDA.", "壊れました。", Reason.OUT_OF_MEMORY)
        with pytest.raises(Overloaded, match="It broke: CUDA"):
            await engines.load_engine(asked(engine="fast"), gateway)
        [fast, _] = (await told(engines.list_engines, gateway))["engines"]
        assert (fast["state"], fast["why"]) == ("failed", "load_failed")
        assert fast["last_error"] == {"text": "It broke: CUDA.", "text_ja": "壊れました。"}
        assert fast["retry_in_s"] > 0


async def test_a_gateway_that_ends_lets_nobody_wait_for_a_load(store: Store) -> None:
    async with beside(store, managed("fast")) as (switched, gateway):
        switched.engines["fast"].holds.clear()
        waiting = asyncio.create_task(told(engines.load_engine, gateway, engine="fast"))
        await eventually(lambda: switched.happened == ["load fast"])
        gateway.ending.set()
        with pytest.raises(ShuttingDown):
            await waiting


async def test_llama_swaps_paths_tell_what_is_loaded_and_unload_it(store: Store) -> None:
    async with beside(store, managed("fast", memory=GIB), managed("smart", memory=GIB, idle_unload_s=90.0)) as (
        switched,
        gateway,
    ):
        assert await told(engines.list_running, gateway) == {"running": []}
        await told(engines.load_engine, gateway, engine="smart")
        [running] = (await told(engines.list_running, gateway))["running"]
        assert running == {
            "model": "smart",
            "state": "ready",
            "cmd": "",
            "proxy": switched.fleet.deployments["smart"].replicas[0].url,
            "ttl": 90,
            "name": "",
            "description": "",
        }
        await told(engines.load_engine, gateway, engine="fast")
        assert (await engines.unload_all(asked("HEAD"), gateway)).status_code == 200
        assert switched.loaded() == {"fast", "smart"}
        assert (await engines.unload_all(asked(), gateway)).body == b"OK"
        assert switched.loaded() == set()
        await told(engines.load_engine, gateway, engine="fast")
        assert await told(engines.unload_models, gateway) == {"msg": "ok"}
        assert switched.loaded() == set()
        await told(engines.load_engine, gateway, engine="fast")
        assert (await engines.unload_model(asked(model="chat"), gateway)).body == b"OK"
        assert switched.loaded() == set()


PATHS = [
    ("GET", "/admin/engines"),
    ("POST", "/admin/engines/scripted/load"),
    ("POST", "/admin/engines/scripted/unload"),
    ("GET", "/admin/engines/scripted/log"),
    ("GET", "/running"),
    ("GET", "/unload"),
    ("POST", "/unload"),
    ("POST", "/api/models/unload"),
    ("POST", "/api/models/unload/scripted"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
async def test_only_the_operators_key_in_a_header_opens_them(stage: Stage, method: str, path: str) -> None:
    signed_in = await fetch(stage.url, "/session", {"key": stage.key})
    cookie = signed_in.headers["set-cookie"].partition(";")[0]
    for key, headers in ((None, {}), (stage.key, {}), (None, {"cookie": cookie})):
        refused = await fetch(stage.url, path, method=method, key=key, headers=headers)
        assert refused.status == 401
    answer = await fetch(stage.url, path, method=method, key=stage.operators_key)
    assert answer.status == (409 if "scripted" in path else 200), answer.text


async def test_a_name_may_be_escaped_and_hold_slashes() -> None:
    async with scene(others={"a/b 日本": {"model": "other"}}) as stage:
        for name in ("a%2Fb%20%E6%97%A5%E6%9C%AC", "scripted"):
            for end, method in (("load", "POST"), ("unload", "POST"), ("log", "GET")):
                path = f"/admin/engines/{name}/{end}"
                answer = await fetch(stage.url, path, method=method, key=stage.operators_key)
                assert answer.status == 409, answer.text
        unknown = await fetch(
            stage.url,
            "/admin/engines/nobody/load",
            method="POST",
            key=stage.operators_key,
            headers={"accept-language": "ja"},
        )
        assert unknown.status == 404
        assert (unknown.json["error"]["code"], "nobody" in unknown.json["error"]["message"]) == (
            "engine_not_found",
            True,
        )
