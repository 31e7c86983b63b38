"""A conversation of 500 turns: it opens at its end, older turns come when they are wanted, and it scrolls smoothly."""

from __future__ import annotations

import json

import pytest
from playwright.async_api import Browser, expect

from tests.browser.tab import OpenTab, gateway_on
from tests.browser.test_hostile import TASK
from tests.support.fake_engine import running_engine
from tests.support.http import fetch

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

TURNS = 500
LONGEST_FRAME_MS = 50
MOST_MIB = 200
ANSWER = (
    "**太字**と`code`です。\n\n| a | b |\n|--|--|\n| 1 | 2 |\n\n```python\nprint('x')\n```\n\n"
    + "長い文が続きます。" * 30
)
SCROLL = """async () => {
  const log = document.querySelector("#log");
  for (let n = 0; n < 120; n += 1) {
    log.scrollTop += (n < 60 ? -1 : 1) * log.clientHeight / 3;
    await new Promise(requestAnimationFrame);
  }
}"""


def message(role: str, text: str) -> dict[str, object]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "status": "completed", "content": [{"type": kind, "text": text}]}


async def test_five_hundred_turns_are_read_from_the_end_and_scroll_smoothly(
    browser: Browser, open_tab: OpenTab
) -> None:
    """A frame is measured by the processor time of its task, whatever else the machine does."""
    items = [
        each for n in range(TURNS) for each in (message("user", f"質問{n}"), message("assistant", f"回答{n}。{ANSWER}"))
    ]
    exported = {
        "object": "conversation.export",
        "version": 1,
        "conversation": {"metadata": {"title": "長い会話"}},
        "items": items,
    }
    async with running_engine() as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        known = (await fetch(gateway.url, "/v1/conversations", {}, key=gateway.key)).json
        told = (await fetch(gateway.url, f"/v1/conversations/{known['id']}/export", key=gateway.key)).json
        made = await fetch(
            gateway.url,
            "/v1/conversations/import",
            {**exported, **{n: told[n] for n in ("object", "version")}},
            key=gateway.key,
        )
        assert made.status == 200, made.text
        page = tab.page
        await tab.signed_in(gateway.key)
        await page.goto(f"{gateway.url}/#/chat/{made.json['id']}")
        turns = page.locator(".turn")
        await expect(turns.last.locator(".answer")).to_contain_text("回答499。")
        assert await turns.count() <= 60
        await expect(turns.last).to_be_in_viewport()
        while await page.locator("#earlier").is_visible():
            before = await turns.count()
            await page.locator("#earlier").scroll_into_view_if_needed()
            await page.locator("#earlier").click(force=True)
            await expect(turns).not_to_have_count(before)
            await expect(page.locator("#earlier")).to_be_enabled()
        await expect(turns).to_have_count(TURNS)
        await expect(turns.first.locator(".answer")).to_contain_text("回答0。")
        await page.locator("#log").evaluate("(log) => { log.scrollTop = log.scrollHeight / 2; }")
        await page.wait_for_timeout(500)
        await browser.start_tracing(page=page, categories=[*TASK])
        await page.evaluate(SCROLL)
        trace = json.loads(await browser.stop_tracing())["traceEvents"]
        tasks = [event["tdur"] / 1000 for event in trace if event["name"] == "RunTask" and "tdur" in event]
        assert max(tasks) < LONGEST_FRAME_MS
        devtools = await tab.context.new_cdp_session(page)
        await devtools.send("HeapProfiler.collectGarbage")
        heap = await devtools.send("Runtime.getHeapUsage")
        assert heap["usedSize"] < MOST_MIB << 20
        await tab.answered(await tab.ask("まだ続きます"))
        assert "質問499" in json.dumps(engine.requests[-1].json, ensure_ascii=False)


async def test_the_first_paint_is_quick(open_tab: OpenTab) -> None:
    """By the processor time of all that happens until then; on loopback there is nothing else to wait for."""
    async with running_engine() as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        assert engine.open == 0
        devtools = await tab.context.new_cdp_session(tab.page)
        await devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        await tab.page.reload()
        await expect(tab.page.locator("#key")).to_be_focused()
        metrics = (await devtools.send("Performance.getMetrics"))["metrics"]
        (spent_s,) = [each["value"] for each in metrics if each["name"] == "TaskDuration"]
        assert spent_s < 1
