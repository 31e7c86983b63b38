"""What is measured of an answer, and what is behind it: its place in the queue, the request as others send it, a replay."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.tab import OpenTab, gateway_on
from tests.browser.test_reconnecting import fragile
from tests.support.engine_script import SSE, Chat, Request, body, end, head, until
from tests.support.fake_engine import running_engine
from tests.support.gateway import running_gateway
from tests.support.http import fetch
from tests.support.node_examples import installed
from tests.support.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

STREAMED = Request(path="/v1/chat/completions", body=b'{"stream":true}')
USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 8}}


async def test_the_queue_and_what_was_cached_are_told(open_tab: OpenTab) -> None:
    let_go = asyncio.Event()
    async with running_engine([until(let_go), *Chat(["はい"])(Request())]) as engine:
        config = f"""
        deployments:
          one: {{ backend: vllm, model: scripted, replicas: ["{engine.url}"], max_in_flight: 1 }}
        aliases: {{ default: one }}
        """
        async with running_gateway(config=config) as gateway, open_tab(gateway.url) as tab:
            await gateway.ready()
            await tab.signed_in(gateway.key)
            asked = {"messages": [{"role": "user", "content": "x"}]}
            others = [
                asyncio.create_task(fetch(gateway.url, "/v1/chat/completions", asked, key=gateway.key))
                for _ in range(2)
            ]
            await eventually(lambda: len(engine.requests) == 1)
            turn = await tab.ask("y")
            await expect(turn.locator(".figures")).to_contain_text(re.compile("in the queue, place\\s[12]"))
            engine.script = Chat(["こ", "ん", "。"], fields={"usage": USAGE})
            let_go.set()
            await tab.answered(turn)
            await expect(turn.locator(".figures")).to_contain_text(re.compile(r"in\s12\s\(8\scached\) · out\s3"))
            assert ": queue place=" in await tab.raw(turn, "Events (SSE)")
            for other in others:
                await other


@pytest.mark.slow
async def test_the_request_is_the_same_in_every_language_and_the_events_are_replayed(
    open_tab: OpenTab, tmp_path: Path
) -> None:
    tricky = 'it\'s "quoted"; $(exit 1) `x` \\ \u2028 改行\n\\n {null} true'
    async with (
        running_engine(Chat(["コピー", "できた"])) as engine,
        gateway_on(engine) as gateway,
        open_tab(gateway.url) as tab,
    ):
        await tab.signed_in(gateway.key)
        await tab.set("temperature", "0.5")
        await tab.set("more", '{"top_k": 20, "stop": ["\\n\\n", "終"], "logprobs": false, "user": null}')
        turn = await tab.ask(tricky)
        await tab.answered(turn)
        env = {**os.environ, "HAYATE_API_KEY": gateway.key}
        node = installed(tmp_path)
        for kind, command in {
            "Python": [sys.executable, "-c"],
            "JavaScript": ["node", "--input-type=module", "-e"],
        }.items():
            sample = await tab.raw(turn, kind)
            assert gateway.key not in sample
            run = await asyncio.create_subprocess_exec(*command, sample, stdout=-1, stderr=-1, env=env, cwd=node)
            out, err = await run.communicate()
            assert run.returncode == 0, err.decode()
            assert "コピーできた" in out.decode()
        first, *others = (request.json for request in engine.requests)
        assert first["messages"][0]["content"] == tricky
        assert first["top_k"] == 20
        for other in others:
            assert {**other, "user": None} == {**first, "user": None}

        before = await turn.locator(".figures").text_content()
        await turn.get_by_role("button", name="Replay").click()
        await expect(turn.locator(".answer")).to_have_text("コピーできた")
        await tab.answered(turn)
        await expect(turn.locator(".figures")).to_have_text(before or "")
        assert len(engine.requests) == 3, "nothing is asked of the gateway"


async def test_after_a_lost_connection_the_page_shows_what_the_gateway_has(open_tab: OpenTab) -> None:
    """Never half as if it were whole."""
    async with (
        running_engine(Chat(["はい。"] * 5000, gap_s=0.05)) as engine,
        gateway_on(engine) as gateway,
        fragile(gateway) as (url, clients),
        open_tab(url) as tab,
    ):
        tab.allowed.append("net::ERR_")
        await tab.signed_in(gateway.key)
        turn = await tab.ask("長い話")
        await expect(turn.locator(".answer")).to_contain_text("はい。はい。")
        for client in clients:
            client.transport.abort()
        await expect(turn.locator(".notice")).to_contain_text("The connection was lost")
        await expect(turn.locator(".notice")).to_contain_text("what came of the answer until then")
        await expect(turn.locator(".answer")).to_contain_text("はい。はい。")
        await expect(turn.get_by_role("button", name="Continue")).to_be_visible()
        await expect(tab.page.locator("#conversations .title")).to_have_text("長い話")


@pytest.mark.slow
async def test_a_silence_is_told_and_the_rest_comes_all_the_same(open_tab: OpenTab) -> None:
    """A network that is gone for a while and comes back: the connection holds, and so does the answer."""
    let_go = asyncio.Event()
    frames = Chat(["前半、", "後半。"]).frames(STREAMED)
    script = [head(headers=SSE), *map(body, frames[:2]), until(let_go), *map(body, frames[2:]), end]
    async with running_engine(script) as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await tab.signed_in(gateway.key)
        turn = await tab.ask("長い話")
        await expect(turn.locator(".figures")).to_contain_text(re.compile(r"silent for \d+ s"))
        let_go.set()
        assert await tab.answered(turn) == "前半、後半。"
        await expect(turn.locator(".figures")).not_to_contain_text("silent")
        await expect(turn.locator(".notice")).to_be_hidden()


@pytest.mark.slow
async def test_a_network_that_is_cut_for_a_while_leaves_no_half_answer_that_looks_whole(open_tab: OpenTab) -> None:
    text = [f"{n}、" for n in range(100)]
    async with (
        running_engine(Chat(text, gap_s=0.1)) as engine,
        gateway_on(engine) as gateway,
        open_tab(gateway.url) as tab,
    ):
        tab.allowed.append("net::ERR_")
        await tab.signed_in(gateway.key)
        turn = await tab.ask("数えて")
        await expect(turn.locator(".answer")).to_contain_text("2、")
        await tab.context.set_offline(True)
        await asyncio.sleep(5)
        await tab.context.set_offline(False)
        answer = await tab.answered(turn)
        if answer != "".join(text):
            await expect(turn.locator(".notice")).to_contain_text("The connection was lost")
            await expect(turn.get_by_role("button", name="Continue")).to_be_visible()
