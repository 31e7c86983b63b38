"""Liveness, honest readiness, metrics, and the list of models."""

from __future__ import annotations

import pytest

from tests.support.engine_script import Chat, answer, error
from tests.support.fake_engine import running_engine
from tests.support.gateway import running_gateway
from tests.support.http import fetch
from tests.support.scene import CHAT_PATH, PLAIN, Stage, scene
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("path", ["/health", "/health/liveliness", "/health/liveness", "/livez"])
async def test_a_gateway_that_answers_lives(stage: Stage, path: str) -> None:
    reply = await fetch(stage.url, path)
    assert (reply.status, reply.json) == (200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/health/readiness", "/readyz"])
@pytest.mark.parametrize("header", [None, "x-api-key", "authorization"])
@pytest.mark.parametrize("key", ["", "sk-hayate-not-the-key-0123456789"])
async def test_readiness_tells_a_stranger_yes_or_no_and_nothing_else(
    stage: Stage, path: str, header: str | None, key: str
) -> None:
    reply = await fetch(stage.url, path, headers={header: key} if header else None)
    assert (reply.status, reply.json) == (200, {"status": "ready"})


@pytest.mark.parametrize("path", ["/health/readiness", "/readyz"])
@pytest.mark.parametrize("whose", ["caller", "operator", "session"])
async def test_readiness_tells_who_has_a_key_of_every_deployment_and_of_no_address(
    stage: Stage, path: str, whose: str
) -> None:
    key = stage.operators_key if whose == "operator" else stage.key
    headers = None
    if whose == "session":
        signed_in = await fetch(stage.url, "/session", {"key": key})
        key, headers = "", {"cookie": signed_in.headers["set-cookie"].partition(";")[0]}
    reply = await fetch(stage.url, path, key=key or None, headers=headers)
    assert reply.status == 200
    assert reply.json["status"] == "ready"
    assert set(reply.json["deployments"]) == {"scripted", "llama", "smaller"}
    assert reply.json["deployments"]["scripted"]["replicas"] == [
        {"healthy": True, "state": "ok", "reason": None, "in_flight": 0}
    ]
    assert str(stage.engine.port) not in reply.text


async def test_readiness_follows_the_engine() -> None:
    async with scene(health={"probe_interval_s": 0.05}) as stage:

        async def status() -> int:
            return (await fetch(stage.url, "/health/readiness")).status

        async def down() -> bool:
            return await status() == 503

        async def up() -> bool:
            return await status() == 200

        stage.engine.routes["/health"] = error(503)
        await eventually(down)
        stage.engine.routes["/health"] = answer({})
        await eventually(up)
        await stage.engine.refuse()
        await eventually(down)
        reply = await fetch(stage.url, "/health/readiness")
        assert reply.json["status"] == "not_ready"
        assert (await fetch(stage.url, "/health")).status == 200
        await stage.engine.listen()
        await eventually(up)


async def test_models_are_aliases_then_deployments(stage: Stage) -> None:
    listed = (await stage.get("/v1/models")).json
    assert listed["object"] == "list"
    assert [each["id"] for each in listed["data"]] == ["default", "scripted", "llama", "smaller"]
    first = listed["data"][0]
    assert (first["object"], first["owned_by"]) == ("model", "hayate")
    assert first["hayate"] == {
        "kind": "alias",
        "engine": "vllm",
        "model": "scripted",
        "targets": ["scripted"],
        "ready": True,
        "reason": None,
        "context_tokens": 4096,
        "max_output_tokens": None,
    }
    assert (first["max_model_len"], first["architecture"], first["default_parameters"]) == (4096, None, {})
    assert listed["data"][3]["hayate"]["context_tokens"] == 512
    assert str(stage.engine.port) not in str(listed)


async def test_a_model_is_listed_with_what_holds_where_a_request_leaves_it_open() -> None:
    async with running_engine() as engine:
        props = {"modalities": {"vision": True}, "default_generation_settings": {"params": {"temperature": 0.7}}}
        engine.routes["/props"] = answer(props)
        async with running_gateway({"LLM_BACKEND": "llamacpp", "BACKEND_URL": engine.url}) as gateway:
            await gateway.ready()
            admin = (gateway.data / "admin_key").read_text(encoding="ascii").strip()
            terms = {"name": "bot", "defaults": {"max_tokens": 300}, "max_output_tokens": 200}
            key = (await fetch(gateway.url, "/admin/keys", terms, key=admin)).json["key"]
            for whose, limit, most in ((gateway.key, {}, None), (key, {"max_tokens": 200}, 200)):
                for model in (await fetch(gateway.url, "/v1/models", key=whose)).json["data"]:
                    assert model["architecture"] == {"input_modalities": ["text", "image"]}
                    assert model["default_parameters"] == {"temperature": 0.7, **limit}
                    assert model["hayate"]["max_output_tokens"] == most


async def test_a_key_for_some_models_is_shown_those_and_no_others(stage: Stage) -> None:
    key = (await stage.new_key(models=["llama", "ghost"]))["key"]
    listed = await fetch(stage.url, "/v1/models", key=key)
    assert [each["id"] for each in listed.json["data"]] == ["llama"]
    assert (await fetch(stage.url, "/v1/models/llama", key=key)).status == 200
    for name in ("default", "scripted", "smaller", "ghost", "nope"):
        reply = await fetch(stage.url, f"/v1/models/{name}", key=key)
        assert (reply.status, reply.json["error"]["code"]) == (404, "model_not_found")
        assert "It may call: llama, ghost" in reply.text
        assert not any(other in reply.text for other in {"scripted", "smaller"} - {name})


@pytest.mark.parametrize("path", ["/health/readiness", "/readyz"])
async def test_readiness_tells_a_project_of_what_it_may_call_and_of_nobody_s_calls(stage: Stage, path: str) -> None:
    some, every = await stage.new_key(models=["default", "ghost"]), await stage.new_key()
    told = (await fetch(stage.url, path, key=some["key"])).json["deployments"]
    assert told == {"scripted": {"ready": True, "replicas": [{"healthy": True, "state": "ok", "reason": None}]}}
    told = (await fetch(stage.url, path, key=every["key"])).json["deployments"]
    assert set(told) == {"scripted", "llama", "smaller"}
    assert not any("in_flight" in replica for each in told.values() for replica in each["replicas"])


@pytest.mark.parametrize(("name", "kind"), [("default", "alias"), ("llama", "deployment")])
async def test_one_model_by_its_name(stage: Stage, name: str, kind: str) -> None:
    reply = await stage.get(f"/v1/models/{name}")
    assert (reply.status, reply.json["id"], reply.json["hayate"]["kind"]) == (200, name, kind)


async def test_an_unknown_model_is_a_404(stage: Stage) -> None:
    for name in ("nope", "a/b/c", "%00", "x" * 500):
        reply = await stage.get(f"/v1/models/{name}")
        assert (reply.status, reply.json["error"]["code"]) == (404, "model_not_found")


async def test_metrics_are_prometheus_text(stage: Stage) -> None:
    await stage.post(PLAIN)
    reply = await stage.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=")
    assert "hayate_calls_total{" in reply.text
    assert "gen_ai_server_request_duration_seconds_bucket{" in reply.text


async def test_fast_and_smart_are_listed_and_answer_where_no_alias_is_configured() -> None:
    async with (
        running_engine(Chat(["はい"])) as engine,
        running_gateway({"LLM_BACKEND": "vllm", "BACKEND_URL": engine.url}) as gateway,
    ):
        await gateway.ready()
        listed = (await fetch(gateway.url, "/v1/models", key=gateway.key)).json["data"]
        kinds = {each["id"]: each["hayate"]["kind"] for each in listed}
        assert kinds == {"default": "alias", "fast": "alias", "smart": "alias", "vllm": "deployment"}
        for name in ("fast", "smart"):
            reply = await fetch(gateway.url, CHAT_PATH, {**PLAIN, "model": name}, key=gateway.key)
            assert reply.status == 200
            assert engine.requests[-1].json["model"] == engine.model


async def test_adapters_loaded_at_run_time_are_listed_and_callable() -> None:
    async with scene(model=None, health={"probe_interval_s": 0.1}) as stage:
        stage.engine.routes["/v1/models"] = answer({"data": [{"id": "base"}, {"id": "my-lora"}, {"id": "lora-2"}]})

        async def listed() -> bool:
            return "my-lora" in [each["id"] for each in (await stage.get("/v1/models")).json["data"]]

        await eventually(listed)
        ids = [each["id"] for each in (await stage.get("/v1/models")).json["data"]]
        assert ids == ["default", "scripted", "lora-2", "my-lora"]  # the engine's first model has the deployment's name
        assert (await stage.get("/v1/models/my-lora")).json["hayate"]["kind"] == "served_model"
        assert (await stage.post({**PLAIN, "model": "my-lora"})).status == 200
        assert stage.engine.requests[-1].json["model"] == "my-lora"


async def test_a_model_loaded_a_moment_ago_is_called_and_shown_at_once() -> None:
    async with scene(model=None, health={"probe_interval_s": 600}) as stage:
        for name in ("first", "second"):
            stage.engine.routes["/v1/models"] = answer({"data": [{"id": "scripted"}, {"id": name}]})
            path = f"/v1/models/{name}"

            async def known(path: str = path) -> bool:
                return (await stage.get(path)).status == 200

            await eventually(known)  # at most one question a second
        assert (await stage.post({**PLAIN, "model": "second"})).status == 200
