"""A reload gives a deployment another adapter: it knows at once what the engine has said of itself, and its new options count."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.contract.engines import TOKENIZER, Engine, asking, when
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import fetch
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

CONFIG = "deployments:\n  one:\n    backend: {backend}\n    model: {model}\n    replicas: ['{url}']\n    options: {options}\n"


async def reload(gateway: RunningGateway, text: str) -> None:
    """The file changed, and taken over."""
    before = gateway.stderr().count('"reloaded"')
    Path(gateway.data.parent / "config.yaml").write_text(text, encoding="utf-8")
    gateway.process.send_signal(signal.SIGHUP)
    await eventually(lambda: gateway.stderr().count('"reloaded"') > before)


async def context(gateway: RunningGateway) -> int:
    reply = await fetch(gateway.url, "/v1/models/one", key=gateway.key)
    found: int = reply.json["hayate"]["context_tokens"]
    return found


@when(lambda engine, **_: engine == "ollama")
async def test_another_context_for_ollama(engine: Engine) -> None:
    assert engine.stand_in is not None
    text = CONFIG.format(backend="ollama", model=engine.model, url=engine.stand_in.url, options="{{num_ctx: {}}}")
    async with running_gateway(config=text.format(4096)) as gateway:
        await gateway.ready()
        for num_ctx in (4096, 2048):
            if num_ctx == 2048:
                await reload(gateway, text.format(num_ctx))
            assert await context(gateway) == num_ctx
            reply = await fetch(gateway.url, "/v1/chat/completions", asking("Hello"), key=gateway.key)
            assert reply.status == 200
            assert engine.stand_in.requests[-1]["options"]["num_ctx"] == num_ctx


@when(lambda engine, **_: engine == "triton")
async def test_triton_s_inputs_need_not_be_asked_for_again(engine: Engine) -> None:
    options = f"{{{{tokenizer: '{TOKENIZER}', max_tokens: {{}}}}}}"
    text = CONFIG.format(backend="triton", model=engine.model, url=engine.env["BACKEND_URL"], options=options)
    async with running_gateway(config=text.format(5)) as gateway:
        await gateway.ready()
        for limit in (5, 3):
            if limit == 3:
                await reload(gateway, text.format(limit))
            reply = await fetch(gateway.url, "/v1/chat/completions", asking("日本語で答えて"), key=gateway.key)
            assert len(reply.json["choices"][0]["message"]["content"]) == limit
