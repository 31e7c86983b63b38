"""Steps: what the operator sees and does."""

from __future__ import annotations

import asyncio

from playwright.async_api import expect

from tests.browser.walk.answering import busy
from tests.browser.walk.walking import ENDLESS, Walk
from tests.support.http import fetch
from tests.support.waiting import eventually


async def signs_the_operator_in(walk: Walk) -> None:
    """Apart from callers: their key does not do."""
    page = walk.page
    await page.locator("#to-operations").click()
    await expect(page.locator("#operator-key")).to_be_focused()
    await page.locator("#operator-key").fill(walk.scenery.gateway.key)
    await page.locator("#operator-key").press("Enter")
    await expect(page.locator("#operator-notice")).not_to_be_empty()
    await walk.look("operator-refused")
    await page.locator("#operator-key").fill(walk.scenery.operators_key)
    await page.locator("#operator-key").press("Enter")
    await expect(walk.table("replicas").locator("tbody tr")).to_have_count(4)
    await expect(walk.table("replicas")).to_contain_text(walk.scenery.llamacpp.url)
    await expect(page.locator("#plots canvas").first).to_be_visible()


async def ends_a_call(walk: Walk) -> None:
    """One that is under way, and finds it among those that have ended."""
    gateway = walk.scenery.gateway
    body = {"messages": [{"role": "user", "content": "x"}], **ENDLESS, "stream": True}
    calls = [
        asyncio.create_task(fetch(gateway.url, "/v1/chat/completions", {**body, "model": model}, key=gateway.key))
        for model in ("one-place", "one-place", "tiny")
    ]
    await eventually(lambda: busy(walk))
    running = walk.table("runningCalls")
    await expect(running.locator("tbody button")).to_have_count(3)
    await expect(walk.table("lanes")).to_contain_text("one-place")
    await walk.look("calls-under-way")
    for left in (2, 1, 0):
        await walk.button("stop", running).first.click()
        await expect(running.locator("tbody button")).to_have_count(left)
    await asyncio.gather(*calls, return_exceptions=True)
    await eventually(walk.scenery.llamacpp.idle)
    rows = walk.table("endedCalls").locator("tbody tr[aria-rowindex]")
    for name, value in (("model", "one-place"), ("status", "200")):
        await walk.page.locator(f"#filter-{name}").fill(value)
        await expect(rows.filter(has_not_text=value)).to_have_count(0)
        if name == "model":
            await expect(rows.first).to_contain_text(value)
        await walk.page.locator(f"#filter-{name}").fill("")
    await expect(rows.filter(has_not_text="one-place").first).to_be_visible()


async def manages_keys(walk: Walk) -> None:
    """Made, limited, given a new secret, revoked; and what was used of them, in bars, with its cost."""
    page, notice, keys = walk.page, walk.page.locator("#operator-notice"), walk.table("keys")
    await page.locator("#key-name").fill("bot")
    await page.locator("#key-project").fill("game")
    await page.locator("#key-name").press("Enter")
    await expect(notice.locator("code")).to_be_visible()
    key = await notice.locator("code").text_content() or ""
    await walk.look("new-key")
    body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 20}
    assert (await fetch(walk.scenery.gateway.url, "/v1/chat/completions", body, key=key)).status == 200
    mine = keys.locator("tr", has_text="bot")
    await walk.button("change", mine).click()
    await page.locator("#of-key-requests_per_minute").fill("30")
    await page.locator("#of-key-concurrency").fill("2")
    await walk.look("key-limits")
    await walk.button("save", page.locator("#key-dialog")).click()
    await expect(mine).to_contain_text("30")
    await walk.button("rotate", mine).click()
    await page.locator("#dialog-field").fill("0")
    await walk.look("rotate")
    await page.locator("#dialog-yes").click()
    await expect(notice.locator("code")).to_be_visible()
    await expect(notice.locator("code")).not_to_have_text(key)
    await walk.button("revoke", mine).click()
    await walk.look("revoke")
    await page.locator("#dialog-yes").click()
    await expect(walk.button("revoke", mine)).to_have_count(0)
    for by in ("key", "model", "day"):
        await page.locator("#usage-by").select_option(by)
        await expect(walk.table("usage").locator("meter").first).to_be_visible()
    await expect(walk.table("usage")).to_contain_text("JPY")


async def reloads_the_configuration(walk: Walk) -> None:
    """What is wrong is refused and told; what needs a restart is named."""
    notice = walk.page.locator("#operator-notice")
    walk.tab.allowed.append("422 (Unprocessable")
    walk.tab.allowed.append("400 (Bad Request)")
    walk.scenery.write_config(limits={"requests_per_minute": "many"})
    await walk.button("reloadConfiguration").click()
    await expect(notice).to_contain_text("requests_per_minute")
    await walk.look("reload-refused")
    walk.scenery.write_config(server={"drain_s": 7})
    await walk.button("reloadConfiguration").click()
    await expect(notice).to_contain_text("drain_s")
    walk.scenery.write_config()
    await walk.button("reloadConfiguration").click()
    await expect(notice).to_have_text(walk.words["reloadedNow"])


async def looks_at_everything(walk: Walk) -> None:
    """Plots of both spans, the configuration as it runs, the gateway's last lines."""
    page = walk.page
    await page.locator("#span").select_option("hours=24")
    await walk.look("operations-24-hours")
    await page.locator("#span").select_option("minutes=15")
    for details, place in (("of-configuration", "configuration"), ("of-log", "events")):
        await page.locator(f"#{details} summary").click()
        await expect(page.locator(f"#{place}")).not_to_be_empty()
    await walk.look("operations")


async def signs_the_operator_out(walk: Walk) -> None:
    """Nothing of what was seen stays."""
    await walk.button("operatorSignOut").click()
    await expect(walk.page.locator("#operator-key")).to_be_visible()
    assert "bot" not in await walk.page.locator("main:visible").inner_text()
