"""What an answer has beside words: what was thought, calls of tools, pictures that were asked about."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.tab import OpenTab, gateway_on
from tests.support.engine_script import Chat
from tests.support.fake_engine import running_engine

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
CALLS = Chat(
    [
        {"reasoning_content": "天気を"},
        {"reasoning_content": "**調べる**。"},
        {
            "tool_calls": [
                {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city": "<b>東京'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '</b>"}'}}]},
    ],
    finish_reason="tool_calls",
)
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PASTE = """(data) => {
  const files = new DataTransfer();
  files.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], "a.png", { type: "image/png" }));
  const prompt = document.querySelector("#prompt");
  prompt.dispatchEvent(new ClipboardEvent("paste", { clipboardData: files, bubbles: true, cancelable: true }));
  prompt.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
}"""


async def test_a_tool_is_called_answered_and_gone_on_from_and_thoughts_are_folded(open_tab: OpenTab) -> None:
    async with running_engine(CALLS) as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await tab.signed_in(gateway.key)
        await tab.set("more", "not JSON")
        await tab.ask("天気は？")
        await expect(tab.page.locator("#more")).to_be_focused()
        assert engine.requests == []
        await tab.set("more", json.dumps({"tools": TOOLS}))
        turn = await tab.ask("天気は？")
        card = turn.locator(".card")
        await expect(card.locator(".card-title")).to_have_text("Tool call: weather")
        assert engine.requests[0].json["tools"] == TOOLS
        await expect(card.locator(".card-json")).to_have_text('{\n  "city": "<b>東京</b>"\n}')
        thoughts = turn.locator(".reasoning")
        await expect(thoughts.locator("strong")).to_be_hidden()
        await thoughts.locator("summary").click()
        await expect(thoughts.locator("strong")).to_have_text("調べる")

        engine.script = Chat(["晴れです。"])
        await card.get_by_label("What weather returned").fill('{"sky": "clear"}')
        await turn.get_by_role("button", name="Send results").click()
        await expect(turn.locator(".answer > .said")).to_have_text("晴れです。")
        await tab.answered(turn)
        call, output = engine.requests[1].json["messages"][-2:]
        assert call["tool_calls"][0]["function"]["arguments"] == '{"city": "<b>東京</b>"}'
        assert output == {"role": "tool", "tool_call_id": "call_1", "content": '{"sky": "clear"}'}

        await tab.page.reload()
        await expect(turn.locator(".answer > .said")).to_have_text("晴れです。")
        await expect(card.locator(".card-output")).to_have_text('{"sky": "clear"}')
        await expect(turn.get_by_role("button", name="Send results")).to_have_count(0)


async def test_pictures_are_pasted_dropped_chosen_sent_and_shown(open_tab: OpenTab, tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(PIXEL)
    source = f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    async with running_engine() as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await tab.signed_in(gateway.key)
        await tab.page.evaluate(PASTE, base64.b64encode(PIXEL).decode())
        async with tab.page.expect_file_chooser() as chosen:
            await tab.page.get_by_label("Add pictures").click()
        await (await chosen.value).set_files(tmp_path / "b.png")
        await expect(tab.page.locator("#pictures img")).to_have_count(3)
        await tab.page.locator("#pictures").get_by_role("button", name="Remove").first.click()
        turn = await tab.ask("何色？")
        await tab.answered(turn)
        await expect(tab.page.locator("#pictures img")).to_have_count(0)
        (message,) = engine.requests[0].json["messages"]
        assert message["content"] == [
            {"type": "image_url", "image_url": {"url": source}},
            {"type": "image_url", "image_url": {"url": source}},
            {"type": "text", "text": "何色？"},
        ]
        await tab.page.reload()
        await expect(turn.locator(".pictures img")).to_have_count(2)
        assert await turn.locator(".pictures img").first.evaluate("(img) => img.naturalWidth") == 1
