"""A conversation over EventSource in a real browser, with the page of the examples."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from tests.guides.blocks import REPOSITORY
from tests.support.chromium import PATIENCE_MS
from tests.support.engine_script import Chat
from tests.support.http import fetch
from tests.support.other_site import other_site
from tests.support.scene import scene

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_three_turns_are_remembered(browser: Browser) -> None:
    async with (
        other_site("", REPOSITORY / "examples") as port,
        scene(server={"cors_origins": f"http://127.0.0.1:{port}"}) as stage,
    ):
        context = await browser.new_context()
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"http://127.0.0.1:{port}/conversation.html?gateway={stage.url}")
        await page.get_by_placeholder("API key").fill(stage.key)
        await page.get_by_role("button", name="サインイン").click()
        said = ["私は花子です。", "それで？", "もう一度。"]
        for turn, text in enumerate(said):
            stage.engine.script = Chat(["はい、", f"{turn}番。"])
            await page.get_by_placeholder("メッセージ").fill(text)
            await page.get_by_role("button", name="送信").click()
            await expect(page.locator("#said li").nth(2 * turn + 1)).to_have_text(f"はい、{turn}番。")
            await expect(page.locator("#ask")).not_to_have_attribute("inert", re.compile(".*"))
        assert complaints == []
        await context.close()
        expected = [
            (role, text)
            for turn, asked in enumerate(said)
            for role, text in (("user", asked), ("assistant", f"はい、{turn}番。"))
        ]
        sent = stage.engine.requests[-1].json["messages"]
        assert [(each["role"], each["content"]) for each in sent] == expected[:-1]
        (kept,) = (await fetch(stage.url, "/v1/conversations", key=stage.key)).json["data"]
        items = (await fetch(stage.url, f"/v1/conversations/{kept['id']}/items?order=asc", key=stage.key)).json["data"]
        assert [(each["role"], each["content"][0]["text"]) for each in items] == expected
