"""What is known of a model where a question is written: its defaults, and whether it takes pictures."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.tab import OpenTab
from tests.browser.test_tools import PIXEL
from tests.support.engine_script import Answer, answer
from tests.support.fake_engine import running_engine
from tests.support.gateway import running_gateway

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


def told(*, vision: bool, params: dict[str, Any]) -> Answer:
    """What llama.cpp says of itself."""
    return answer({"modalities": {"vision": vision}, "default_generation_settings": {"params": params}})


async def test_defaults_are_shown_and_pictures_offered_where_the_model_takes_them(open_tab: OpenTab) -> None:
    params = {"temperature": 0.7, "top_k": 20}
    async with running_engine() as engine, running_engine() as blind:
        engine.routes["/props"] = told(vision=True, params=params)
        blind.routes["/props"] = told(vision=False, params={**params, "top_k": 40})
        deployments = {
            name: {"backend": "llamacpp", "model": name, "replicas": [each.url]}
            for name, each in {"sees": engine, "blind": blind}.items()
        }
        async with (
            running_gateway(
                config=json.dumps({"deployments": deployments, "aliases": {"default": ["sees"]}})
            ) as gateway,
            open_tab(gateway.url) as tab,
        ):
            await gateway.ready()
            page, attach = tab.page, tab.page.get_by_role("button", name="Add pictures")
            await tab.signed_in(gateway.key)
            await page.locator("#settings summary").click()
            await expect(page.locator("#temperature")).to_have_attribute("placeholder", "default 0.7")
            await expect(page.locator("#max_tokens")).to_have_attribute("placeholder", "default")
            await expect(page.locator("#defaults")).to_contain_text("top_k 20")
            await page.locator("#files").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": PIXEL})
            await expect(page.locator("#pictures img")).to_have_count(1)

            await page.locator("#model").select_option("blind")
            await expect(attach).to_be_hidden()
            await expect(page.locator("#no-pictures")).to_contain_text("takes no pictures")
            await page.locator("#prompt").fill("何が見えますか。")
            await page.locator("#prompt").press("Enter")
            await page.get_by_role("button", name="日本語").click()
            await expect(page.locator("#no-pictures")).to_contain_text("画像に対応していません")
            await expect(page.locator("#temperature")).to_have_attribute("placeholder", "既定値：0.7")
            assert blind.requests == []

            await page.get_by_role("link", name="比較").click()
            columns = page.locator(".column select")
            await columns.last.select_option("blind")
            await expect(page.get_by_role("button", name="画像を追加")).to_be_visible()
            await expect(page.locator("#defaults")).to_be_empty()
            await columns.first.select_option("blind")
            await expect(page.get_by_role("button", name="画像を追加")).to_be_hidden()
            await page.get_by_role("link", name="チャット").click()
            await page.locator("#pictures button").click()
            await expect(page.locator("#no-pictures")).to_be_empty()
            await page.locator("#prompt").press("Enter")
            await tab.answered(page.locator(".turn"))
            assert [each.path for each in blind.requests if each.json] == ["/v1/chat/completions"]
