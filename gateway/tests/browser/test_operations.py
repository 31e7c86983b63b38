"""Operations: the operator signs in apart from callers, sees what everybody does, ends a call, makes and revokes a key."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.tab import OpenTab, gateway_on
from tests.browser.test_look import SCREENS
from tests.browser.walk.walking import axe_source, violations
from tests.support.engine_script import Chat
from tests.support.fake_engine import running_engine
from tests.support.gateway import running_gateway
from tests.support.http import fetch
from tests.support.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

ENDLESS = Chat(["はい。"] * 5000, gap_s=0.05)


def operators_key(data: Path) -> str:
    return (data / "admin_key").read_text(encoding="ascii").strip()


async def test_the_operator_sees_calls_ends_one_and_makes_and_revokes_a_key(open_tab: OpenTab) -> None:
    asked = {"messages": [{"role": "user", "content": "x"}], "stream": True}
    async with running_engine(ENDLESS) as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        page = tab.page
        tab.allowed.append("401 (Unauthorized)")
        await page.get_by_role("link", name="Operations").click()
        await page.locator("#operator-key").fill(gateway.key)
        await page.locator("#operator-key").press("Enter")
        await expect(page.locator("#operator-notice")).to_contain_text("this is the callers' key")
        await page.locator("#operator-key").fill(operators_key(gateway.data))
        await page.locator("#operator-key").press("Enter")
        models = page.get_by_role("table", name="Models")
        await expect(models.locator("tbody tr")).to_have_count(1)
        await expect(models).to_contain_text("ready")

        call = asyncio.create_task(fetch(gateway.url, "/v1/chat/completions", asked, key=gateway.key))
        running = page.get_by_role("table", name="Calls under way")
        await running.get_by_role("button", name="Stop").click()
        await eventually(lambda: engine.open == 0)
        await call
        await expect(running).to_contain_text("none")
        await expect(
            page.get_by_role("table", name="Calls that have ended").locator("tbody tr[aria-rowindex]")
        ).to_have_count(1)

        ended = page.get_by_role("table", name="Calls that have ended")
        await page.get_by_label("Status").fill("200")
        await expect(ended).to_contain_text("none")
        await page.get_by_label("Status").fill(str((await gateway.logged(1))[0]["status"]))
        await expect(ended).to_contain_text("main")
        await page.get_by_label("Usage by").select_option("model")
        await expect(page.get_by_role("table", name="Usage")).to_contain_text("default")

        replicas = page.get_by_role("table", name="Replicas")
        await expect(replicas).to_contain_text(engine.url)
        await expect(page.locator("#plots canvas")).to_have_count(5)
        await expect(page.locator("#plots").get_by_role("img", name="tokens/s")).to_be_visible()
        await page.get_by_label("Shown").select_option("24 hours")
        await page.get_by_text("Configuration as it runs").click()
        for section in ("deployments › ", "health"):
            await page.locator("#configuration summary", has_text=section).click()
        backend, interval = (page.get_by_role("row", name=name) for name in ("backend vllm", "probe_interval_s"))
        await expect(backend).to_contain_text("a variable (LLM_BACKEND)")
        await expect(interval).to_contain_text("default")
        await page.get_by_label("Only what is set").check()
        await expect(backend).to_be_visible()
        await expect(interval).to_be_hidden()
        await page.get_by_role("button", name="Copy as JSON").click()
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert {"settings", "restart_needed", "last_reload"} == set(json.loads(copied))
        assert gateway.key not in copied
        await page.get_by_text("The gateway's log").click()
        await expect(page.locator("#events")).not_to_be_empty()

        await page.get_by_label("Name of the new key").fill("bot")
        await page.get_by_role("button", name="Make a key").click()
        notice = page.locator("#operator-notice")
        await expect(notice).to_contain_text("shown this once")
        key = await notice.locator("code").text_content() or ""
        assert (await fetch(gateway.url, "/v1/models", key=key)).status == 200
        keys = page.get_by_role("table", name="Keys", exact=True)
        mine = keys.locator("tr", has_text="bot")
        await mine.get_by_role("button", name="Change").click()
        await page.get_by_label("Requests a minute").fill("30")
        await page.get_by_label("Calls at once").fill("2")
        await page.get_by_role("button", name="Save").click()
        await expect(mine).to_contain_text("Requests a minute 30, Calls at once 2")
        await mine.get_by_role("button", name="New secret").click()
        await page.locator("#dialog-field").fill("0")
        await page.locator("#dialog-yes").click()
        await expect(notice).to_contain_text("shown this once")
        newer = await notice.locator("code").text_content() or ""
        assert newer != key
        assert (await fetch(gateway.url, "/v1/models", key=newer)).status == 200
        await keys.locator("tr", has_text="bot").get_by_role("button", name="Revoke").click()
        await page.locator("#dialog-yes").click()
        await expect(keys.locator("tr", has_text="bot")).to_contain_text("revoked")

        await page.get_by_role("button", name="Sign the operator out").click()
        await expect(page.locator("#operator-key")).to_be_visible()
        assert "bot" not in await page.locator("main:visible").inner_text()
        assert (await page.request.get(f"{gateway.url}/admin/keys")).status == 401


async def test_the_operators_key_is_asked_for_only_where_nobody_reads_it_on_its_way(open_tab: OpenTab) -> None:
    async with running_engine() as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await tab.page.add_init_script("Object.defineProperty(window, 'isSecureContext', { value: false })")
        await tab.page.goto(f"{gateway.url}/#/operations")
        await tab.page.reload()
        await expect(tab.page.locator("#overheard")).to_contain_text("plain http")
        await expect(tab.page.locator("#operator-key")).to_be_hidden()


async def test_a_session_that_another_tab_began_is_gone_on_with(open_tab: OpenTab) -> None:
    async with running_engine() as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        page, secret = tab.page, {"key": operators_key(gateway.data)}
        tab.allowed.append("403 (Forbidden)")
        for _ in range(2):
            made = await page.request.post(
                f"{gateway.url}/admin/session",
                data=secret,
                headers={"origin": gateway.url, "sec-fetch-site": "same-origin"},
            )
            assert made.status == 200
            if page.url.endswith("#/operations"):
                break
            await page.goto(f"{gateway.url}/#/operations")
            await expect(page.locator("#plots canvas")).to_have_count(5)
        await page.get_by_label("Name of the new key").fill("bot")
        await page.get_by_role("button", name="Make a key").click()
        await expect(page.locator("#operator-notice")).to_contain_text("shown this once")


async def test_replicas_of_one_model_are_plotted_beside_each_other(open_tab: OpenTab) -> None:
    async with running_engine() as one, running_engine() as two:
        pair = {"backend": "vllm", "model": one.model, "replicas": [one.url, two.url]}
        config = json.dumps({"deployments": {"pair": pair}, "aliases": {"default": ["pair"]}})
        async with running_gateway(config=config) as gateway, open_tab(gateway.url) as tab:
            await gateway.ready()
            page, plots = tab.page, tab.page.locator("#plots")
            await page.goto(f"{gateway.url}/#/operations")
            await page.locator("#operator-key").fill(operators_key(gateway.data))
            await page.locator("#operator-key").press("Enter")
            await page.get_by_label("Of", exact=True).select_option("pair")
            await expect(plots.locator(".plot-key")).to_have_text(["pair/0", "pair/1"])
            await expect(plots.get_by_role("img", name="tokens/s: pair/0")).to_be_visible()
            await expect(plots.get_by_role("img", name="Waiting")).to_be_hidden()
            await page.get_by_label("Shown").select_option("24 hours")
            await expect(plots.locator(".plot-key")).to_have_text(["pair"])


KEYS = 1_100
"""More than are asked for at once."""


async def test_keys_beyond_the_first_thousand_are_scrolled_to_and_revoked(open_tab: OpenTab) -> None:
    async with running_engine() as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        page, admin = tab.page, operators_key(gateway.data)
        await fetch(gateway.url, "/admin/keys", {"name": "first"}, key=admin)
        with closing(sqlite3.connect(gateway.data / "hayate.db")) as store, store:
            store.row_factory = sqlite3.Row
            row = dict(store.execute("SELECT * FROM keys").fetchone())
            copies = [
                {**row, "id": f"{row['id']}{n:05}", "name": f"key-{n}", "created_ms": row["created_ms"] + n}
                | {"digest": n.to_bytes(32, "big")}
                for n in range(1, KEYS)
            ]
            names = ", ".join(row)
            store.executemany(f"INSERT INTO keys ({names}) VALUES ({', '.join(f':{name}' for name in row)})", copies)
        await page.goto(f"{gateway.url}/#/operations")
        await page.locator("#operator-key").fill(admin)
        await page.locator("#operator-key").press("Enter")
        keys = page.get_by_role("group", name="Keys", exact=True)
        rows = keys.locator("tr[aria-rowindex]")
        await expect(rows.first).to_contain_text("first")
        last = keys.locator(f"tr[aria-rowindex='{KEYS + 1}']")
        while await last.count() == 0:
            await keys.evaluate("(box) => { box.scrollTop = box.scrollHeight; }")
            await page.wait_for_timeout(50)
        await expect(last).to_contain_text(f"key-{KEYS - 1}")
        assert await rows.count() < 150
        await last.get_by_role("button", name="Revoke").click()
        await page.locator("#dialog-yes").click()
        await expect(last).to_contain_text("revoked")


WIDTH = 360


async def test_the_operators_view_is_for_everybody(open_tab: OpenTab) -> None:
    axe = axe_source()
    SCREENS.mkdir(exist_ok=True)
    async with (
        running_engine() as engine,
        gateway_on(engine) as gateway,
        open_tab(gateway.url, language="ja-JP", width=WIDTH, dark=True) as tab,
    ):
        await fetch(
            gateway.url, "/v1/chat/completions", {"messages": [{"role": "user", "content": "x"}]}, key=gateway.key
        )
        await tab.page.goto(f"{gateway.url}/#/operations")
        await expect(tab.page.locator("#operator-key")).to_be_focused()

        async def look(name: str) -> None:
            await tab.page.screenshot(path=SCREENS / f"operations-{name}.png")
            assert await violations(tab.page, axe) == [], name
            assert await tab.page.evaluate("document.documentElement.scrollWidth") <= WIDTH, name

        await look("sign-in")
        await tab.page.locator("#operator-key").fill(operators_key(gateway.data))
        await tab.page.locator("#operator-key").press("Enter")
        await expect(tab.page.locator("#plots canvas")).to_have_count(5)
        for summary, place in (("of-configuration", "configuration"), ("of-log", "events")):
            await tab.page.locator(f"#{summary} summary").click()
            await expect(tab.page.locator(f"#{place}")).not_to_be_empty()
        await look("view")
        await tab.page.locator("#configuration summary").nth(1).click()
        await tab.page.locator("#of-configuration").scroll_into_view_if_needed()
        await look("configuration")
        await tab.page.locator("#key-name").fill("bot")
        await tab.page.locator("#key-name").press("Enter")
        await tab.page.locator("tr", has_text="bot").get_by_role("button").first.click()
        await expect(tab.page.locator("#of-key-name")).to_have_value("bot")
        for word in ("準備完了", "応答あり", "有効"):
            await expect(tab.page.locator("#operator-view")).to_contain_text(word)
        await look("key")
