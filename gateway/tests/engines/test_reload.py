"""An alias moves from one engine to another and back while streams run: no call fails, no stream is cut."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter

import pytest

from tests.engines.launch import EngineProcess
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import connection, fetch, request_bytes
from tests.support.quick import slow
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

ADMIN = "sk-admin-0123456789abcdef"
QUESTION = {"role": "user", "content": "Tell me about the gateway"}


@pytest.fixture(params=["llamacpp", pytest.param("vllm", marks=[pytest.mark.slow, pytest.mark.vllm])])
def other(request: pytest.FixtureRequest) -> EngineProcess:
    """The engine that the alias moves to."""
    process: EngineProcess = request.getfixturevalue(f"shared_{request.param}")
    return process


def config(first: EngineProcess, second: EngineProcess, fast: str) -> str:
    return f"""
deployments:
  one: {{backend: {first.env["LLM_BACKEND"]}, replicas: ["{first.env["BACKEND_URL"]}"]}}
  two: {{backend: {second.env["LLM_BACKEND"]}, replicas: ["{second.env["BACKEND_URL"]}"]}}
aliases: {{default: one, fast: {fast}}}
"""


async def ask(gateway: RunningGateway, seen: Counter[str]) -> None:
    """One streamed answer, judged whole."""
    body = {"model": "fast", "messages": [QUESTION], "temperature": 0, "stream": True, "max_tokens": 400}
    async with connection(gateway.url, limit_s=120) as client:
        await client.send(request_bytes("POST", "/v1/chat/completions", body, gateway.key))
        head = await client.read_head()
        if head.status != 200:
            seen[f"status {head.status}"] += 1
            return
        text, finish, done = "", None, False
        async for frame in client.frames():
            if frame.data == "[DONE]":
                done = True
            elif frame.data:
                choices = frame.json.get("choices") or [{}]
                text += choices[0].get("delta", {}).get("content") or ""
                finish = choices[0].get("finish_reason") or finish
                if "error" in frame.json:
                    seen[f"error {frame.data}"] += 1
        whole = done and finish == "stop" and text.endswith("nineteen, twenty.")
        seen["whole" if whole else f"cut: {finish} {text[-30:]!r}"] += 1


async def keep_asking(gateway: RunningGateway, seen: Counter[str], stop: asyncio.Event) -> None:
    while not stop.is_set():
        await ask(gateway, seen)


async def reloaded(gateway: RunningGateway, by_signal: bool, times: int) -> None:
    """Applies the changed file, by SIGHUP or by the operator's endpoint."""
    if by_signal:
        gateway.process.send_signal(signal.SIGHUP)
        await eventually(lambda: gateway.stderr().count('"event":"reloaded"') == times)
    else:
        reply = await fetch(gateway.url, "/admin/reload", method="POST", key=ADMIN)
        assert reply.status == 200, reply.text


@pytest.mark.parametrize(("streams", "reloads"), [(12, 4), *slow((50, 10))])
async def test_an_alias_moves_between_engines_under_load(
    own_llamacpp: EngineProcess, other: EngineProcess, streams: int, reloads: int
) -> None:
    seen: Counter[str] = Counter()
    stop = asyncio.Event()
    env = {"HAYATE_ADMIN_KEY": ADMIN}
    async with running_gateway(env, config=config(own_llamacpp, other, "one")) as gateway:
        await gateway.ready()
        file = gateway.data.parent / "config.yaml"
        askers = [asyncio.create_task(keep_asking(gateway, seen, stop)) for _ in range(streams)]
        await asyncio.sleep(1)
        for n in range(1, reloads + 1):
            file.write_text(config(own_llamacpp, other, "two" if n % 2 else "one"), encoding="utf-8")
            await reloaded(gateway, by_signal=n % 3 == 0, times=n)
            await asyncio.sleep(0.5)
        stop.set()
        await asyncio.gather(*askers)
        served = Counter(call["deployment"] for call in gateway.calls())

    assert set(seen) == {"whole"}, seen
    assert seen["whole"] >= streams
    assert set(served) == {"one", "two"}, served


async def test_a_bad_file_changes_nothing_and_says_where(own_llamacpp: EngineProcess) -> None:
    good = config(own_llamacpp, own_llamacpp, "one")
    async with running_gateway({"HAYATE_ADMIN_KEY": ADMIN}, config=good) as gateway:
        await gateway.ready()
        file = gateway.data.parent / "config.yaml"
        file.write_text(good.replace("fast: one", "fast: three"), encoding="utf-8")

        refused = await fetch(gateway.url, "/admin/reload", method="POST", key=ADMIN)
        with_the_callers_key = await fetch(gateway.url, "/admin/reload", method="POST", key=gateway.key)
        seen: Counter[str] = Counter()
        await ask(gateway, seen)

    assert refused.status == 400
    assert "line 5: aliases.fast: no deployment named three" in refused.json["error"]["message"]
    assert with_the_callers_key.status == 401
    assert set(seen) == {"whole"}
