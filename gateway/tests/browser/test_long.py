"""A conversation of 500 turns opens at its end, older turns come when they are wanted; 10,000 calls that have ended are read
through. Both scroll smoothly.
"""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from playwright.async_api import Browser, Page, expect

from hayate.settings import Keeping
from hayate.store.store import Store
from hayate.telemetry.record import CallRecord
from tests.browser.tab import OpenTab, gateway_on
from tests.browser.tasks import CATEGORIES, tasks_ms
from tests.browser.test_operations import operators_key
from tests.support.fake_engine import running_engine
from tests.support.held import slowness
from tests.support.http import fetch

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow, pytest.mark.alone]

TURNS = 500
CALLS = 10_000
LONGEST_FRAME_MS = 50
MOST_MIB = 200
ANSWER = (
    "**太字**と`code`です。\n\n| a | b |\n|--|--|\n| 1 | 2 |\n\n```python\nprint('x')\n```\n\n"
    + "長い文が続きます。" * 30
)
SCROLL = """async (which) => {
  const log = document.querySelector(which);
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
        while (before := await turns.count()) < TURNS:  # being seen asks for them, too
            await page.locator("#earlier").evaluate("(button) => { button.scrollIntoView(); button.click(); }")
            await expect(turns).not_to_have_count(before)
        await expect(turns).to_have_count(TURNS)
        await expect(turns.first.locator(".answer")).to_contain_text("回答0。")
        await page.locator("#log").evaluate("(log) => { log.scrollTop = log.scrollHeight / 2; }")
        await page.wait_for_timeout(500)
        assert await longest_task(browser, page, SCROLL, "#log") < LONGEST_FRAME_MS * slowness()
        assert await heap_of(page) < MOST_MIB << 20
        await tab.answered(await tab.ask("まだ続きます"))
        assert "質問499" in json.dumps(engine.requests[-1].json, ensure_ascii=False)


TO_THE_END = """async (which) => {
  const box = document.querySelector(which);
  const rows = () => Number(box.querySelector("table").getAttribute("aria-rowcount"));
  while (rows() < 0) {
    box.scrollTop = box.scrollHeight;
    await new Promise(requestAnimationFrame);
  }
  box.scrollTop = box.scrollHeight;
  await new Promise(requestAnimationFrame);
}"""


async def test_ten_thousand_calls_are_scrolled_through_smoothly(browser: Browser, open_tab: OpenTab) -> None:
    async with running_engine() as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await asyncio.to_thread(record_calls, Store.open(gateway.data, Keeping()))
        page, calls = tab.page, ".ended-calls"
        await page.goto(f"{gateway.url}/#/operations")
        await page.locator("#operator-key").fill(operators_key(gateway.data))
        await page.locator("#operator-key").press("Enter")
        rows = page.locator(f"{calls} tbody tr[aria-rowindex]")
        await expect(rows.first).to_be_visible()
        assert await longest_task(browser, page, TO_THE_END, calls) < LONGEST_FRAME_MS * slowness()
        await expect(page.locator(f"{calls} [aria-rowindex='{CALLS + 1}']")).to_contain_text("model-0")
        await page.locator(calls).evaluate("(box) => { box.scrollTop = box.scrollHeight / 2; }")
        assert await longest_task(browser, page, SCROLL, calls) < LONGEST_FRAME_MS * slowness()
        assert await rows.count() < 100
        assert await heap_of(page) < MOST_MIB << 20


def record_calls(store: Store) -> None:
    """As the gateway on the same folder would."""
    calls, now = (
        [CallRecord(f"req-{n}", "chat", 1.0, key="main", model=f"model-{n}") for n in range(CALLS)],
        time.time(),
    )
    for n, each in enumerate(calls):
        each.status, each.ended, each.ended_at, each.ttft_s = 200, 2.5, now - CALLS + n, 0.25
    store.calls_ended(calls)
    store.close()


async def longest_task(browser: Browser, page: Page, script: str, which: str) -> float:
    """The processor time of the longest task while the script runs, in milliseconds."""
    await browser.start_tracing(page=page, categories=[*CATEGORIES])
    await page.evaluate(script, which)
    return max(tasks_ms(await browser.stop_tracing()))


async def heap_of(page: Page) -> int:
    """What the page's scripts hold, in bytes."""
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("HeapProfiler.collectGarbage")
    used: int = (await devtools.send("Runtime.getHeapUsage"))["usedSize"]
    return used


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
