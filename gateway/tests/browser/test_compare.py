"""Side by side: one prompt to several models at once, their answers and figures next to each other, and where they differ."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.browser.tab import OpenTab
from tests.support.engine_script import Chat, error
from tests.support.fake_engine import running_engine
from tests.support.gateway import running_gateway
from tests.support.http import fetch
from tests.support.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_several_models_answer_at_once_and_their_words_are_compared(open_tab: OpenTab) -> None:
    async with running_engine(model="small") as small, running_engine(model="large") as large:
        config = f"""
        deployments:
          seven: {{ backend: vllm, model: small, replicas: ["{small.url}"] }}
          seventy: {{ backend: vllm, model: large, replicas: ["{large.url}"] }}
        aliases: {{ default: seven, smart: seventy }}
        """
        small.script = Chat(["東京は", "晴れです。"])
        large.script = Chat(["東京は", "雨です。"])
        async with running_gateway(config=config) as gateway, open_tab(gateway.url) as tab:
            await gateway.ready()
            page = tab.page
            await tab.signed_in(gateway.key)
            await page.get_by_role("link", name="Side by side").click()
            columns = page.locator(".column")
            await expect(columns).to_have_count(2)
            assert [await column.locator("select").input_value() for column in await columns.all()] == [
                "default",
                "smart",
            ]
            await tab.set("temperature", "0.5")
            await page.locator("#prompt").fill("天気は？")
            await page.locator("#prompt").press("Enter")
            await expect(columns.locator(".answer")).to_have_text(["東京は晴れです。", "東京は雨です。"])
            for number, engine in enumerate((small, large)):
                await expect(columns.nth(number).locator(".figures")).to_contain_text("stop")
                assert engine.requests[0].json["messages"] == [{"role": "user", "content": "天気は？"}]
                assert engine.requests[0].json["temperature"] == 0.5

            await page.get_by_role("button", name="Differences").click()
            changes = columns.nth(1).locator(".changes")
            await expect(changes.locator("del")).to_have_text("晴れ")
            await expect(changes.locator("ins")).to_have_text("雨")

            await page.get_by_role("button", name="More models").click()
            await columns.nth(2).locator("select").select_option("seven")
            large.script = error(400, "no such voice")
            tab.allowed.append("400 (Bad Request)")
            await page.locator("#prompt").fill("明日は？")
            await page.locator("#prompt").press("Enter")
            await expect(columns.nth(1).locator(".notice")).to_contain_text("no such voice")
            await expect(columns.nth(2).locator(".answer")).to_have_text("東京は晴れです。")
            assert len(small.requests) == 3
            large.script = Chat(["曇り。"])
            await columns.nth(1).get_by_role("button", name="Retry").click()
            await expect(columns.nth(1).locator(".answer")).to_have_text("曇り。")
            assert (await fetch(gateway.url, "/v1/conversations", key=gateway.key)).json["data"] == [], (
                "nothing is kept"
            )

            small.script = large.script = Chat(["はい。"] * 5000, gap_s=0.05)
            await page.locator("#prompt").fill("長く")
            await page.locator("#prompt").press("Enter")
            await asyncio.gather(
                *(expect(columns.nth(n).locator(".answer")).to_contain_text("はい。") for n in range(3))
            )
            await page.get_by_role("button", name="Stop").click()
            await eventually(lambda: small.open == large.open == 0)
            await expect(columns.locator(".notice")).to_have_text(["Stopped."] * 3)
            await page.get_by_role("link", name="Chat").click()
            await expect(page.locator("#log")).to_be_visible()
