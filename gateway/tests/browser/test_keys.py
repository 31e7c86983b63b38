"""The page with the key of a project: it shows what the key may call, and says why a key is no longer good."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.tab import OpenTab, gateway_on
from tests.support.engine_script import Chat
from tests.support.fake_engine import running_engine
from tests.support.gateway import RunningGateway
from tests.support.http import fetch
from tests.support.quick import slow
from tests.support.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

ENDLESS = Chat(["はい。"] * 5000, gap_s=0.05)


async def admin(
    gateway: RunningGateway, path: str, body: dict[str, Any] | None = None, method: str | None = None
) -> Any:
    """What the operator gets."""
    key = (gateway.data / "admin_key").read_text(encoding="ascii").strip()
    reply = await fetch(gateway.url, path, body, key=key, method=method)
    assert reply.status in (200, 201), reply.text
    return reply.json


async def made(gateway: RunningGateway, **terms: object) -> str:
    """A new key named `guest`."""
    key = (await admin(gateway, "/admin/keys", {"name": "guest", **terms}))["key"]
    assert isinstance(key, str)
    return key


async def test_a_key_shows_its_own_models_and_no_others(open_tab: OpenTab) -> None:
    async with running_engine(Chat(["はい"])) as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await tab.signed_in(await made(gateway, models=["smart"]))
        await expect(tab.page.locator("#model option")).to_have_count(1)
        await expect(tab.page.locator("#model")).to_have_value("smart")
        assert await tab.answered(await tab.ask("誰？")) == "はい"
        (call,) = await gateway.logged(1)
        assert (call["model"], call["key"] != "main") == ("smart", True)


@pytest.mark.parametrize(("language", "says"), [("en-US", "has been revoked"), *slow(("ja-JP", "失効したか"))])
async def test_a_key_that_is_revoked_in_the_middle_of_an_answer_leads_back_to_signing_in(
    open_tab: OpenTab, language: str, says: str
) -> None:
    async with (
        running_engine(ENDLESS) as engine,
        gateway_on(engine) as gateway,
        open_tab(gateway.url, language=language) as tab,
    ):
        await tab.signed_in(await made(gateway))
        tab.allowed.append("401 (Unauthorized)")
        turn = await tab.ask("repeat")
        await expect(turn.locator(".answer")).to_contain_text("はい。はい。")
        await admin(gateway, "/admin/keys/guest", method="DELETE")
        await expect(tab.page.locator("#sign-in-notice")).to_contain_text(says)
        await expect(tab.page.locator("#signed-in")).to_be_hidden()
        await eventually(lambda: engine.open == 0)
        await tab.signed_in(gateway.key)
        assert "はい。" in await tab.answered(turn), "what came is still there"


async def test_a_session_whose_key_was_changed_says_so(open_tab: OpenTab) -> None:
    async with running_engine() as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await tab.signed_in(await made(gateway))
        await admin(gateway, "/admin/keys/guest/rotate", {"grace_s": 0})
        tab.allowed.append("401 (Unauthorized)")

        async def over() -> bool:
            return not await tab.page.evaluate("fetch('session').then((r) => r.json()).then((s) => s.signed_in)")

        await eventually(over)
        await tab.ask("still there?")
        await expect(tab.page.locator("#sign-in-notice")).to_have_text(
            "The key of this session was revoked, has expired or was changed. Sign in again."
        )
        assert engine.requests == []


async def test_a_key_that_may_not_call_is_told_at_once(open_tab: OpenTab) -> None:
    async with running_engine() as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        tab.allowed.append("403 (Forbidden)")
        await tab.sign_in(await made(gateway, areas=["usage"]))
        await expect(tab.page.locator("#sign-in-notice")).to_contain_text("This key is not for calls.")
        await expect(tab.page.locator("#signed-in")).to_be_hidden()


async def test_a_key_that_has_expired_is_told_when(open_tab: OpenTab) -> None:
    async with running_engine() as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        tab.allowed.append("401 (Unauthorized)")
        key = await made(gateway)
        with closing(sqlite3.connect(gateway.data / "hayate.db")) as store:  # nobody may make one that is over already
            store.execute("UPDATE keys SET expires_ms = 1720000000000")
            store.execute("INSERT INTO key_events (key_id) SELECT id FROM keys")
            store.commit()
        await tab.sign_in(key)
        await expect(tab.page.locator("#sign-in-notice")).to_contain_text("it expired on 2024-07-03 (UTC)")
        await expect(tab.page.locator("#signed-in")).to_be_hidden()
