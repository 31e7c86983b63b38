"""Conversations on the page: they are remembered, found, changed and gone on with at any of their turns."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from playwright.async_api import Locator, expect

from tests.browser.tab import OpenTab, Tab, gateway_on
from tests.support.engine_script import Chat, Request, Script, until
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.http import fetch
from tests.support.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

ENDLESS = Chat(["はい。"] * 5000, gap_s=0.05)


def repeats(request: Request) -> Script:
    """An answer that says which question it is of."""
    said = request.json["messages"][-1]["content"]
    return Chat([f"「{said}」", "ですね。"])(request)


def said_to(engine: FakeEngine, number: int = -1) -> list[str]:
    """What an engine was told, roles left out."""
    return [message["content"] for message in engine.requests[number].json["messages"]]


async def talk(tab: Tab, *questions: str) -> list[Locator]:
    """Asks one after the other."""
    turns = []
    for question in questions:
        turns.append(await tab.ask(question))
        assert await tab.answered(turns[-1]) == f"「{question}」ですね。"
    return turns


def rows(tab: Tab) -> Locator:
    return tab.page.locator("#conversations a")


async def test_a_conversation_is_remembered_found_renamed_exported_and_deleted(
    open_tab: OpenTab, tmp_path: Path
) -> None:
    async with running_engine(repeats) as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        page = tab.page
        await tab.signed_in(gateway.key)
        await tab.set("system", "簡潔に。")
        await talk(tab, "私は花子です。", "私の名前は？")
        assert said_to(engine) == ["簡潔に。", "私は花子です。", "「私は花子です。」ですね。", "私の名前は？"]
        await expect(rows(tab).locator(".title")).to_have_text(["私は花子です。"])
        await expect(rows(tab)).to_have_attribute("aria-current", "page")
        await tab.set("system", "丁寧に。")
        await page.locator(".turn").last.get_by_role("button", name="Retry").click()
        await eventually(lambda: len(engine.requests) == 3)
        await tab.answered(page.locator(".turn").last)
        assert said_to(engine) == ["丁寧に。", "私は花子です。", "「私は花子です。」ですね。", "私の名前は？"]
        await page.get_by_role("button", name="New conversation").click()
        await expect(page.locator(".turn")).to_have_count(0)
        await expect(page.locator("#set")).to_have_text(" · System prompt")
        await tab.set("system", "")
        await talk(tab, "天気は？")
        assert said_to(engine) == ["天気は？"]
        await expect(rows(tab).locator(".title")).to_have_text(["天気は？", "私は花子です。"])

        await page.get_by_label("Search").fill("名前")
        await expect(rows(tab)).to_have_count(1)
        await expect(rows(tab).locator("mark").first).to_have_text("名前")
        await rows(tab).click()
        await expect(page.locator(".turn .question")).to_have_text(["私は花子です。", "私の名前は？"])
        await expect(page.locator(".turn .answer").last).to_have_text("「私の名前は？」ですね。")
        assert await page.locator("#system").input_value() == "丁寧に。"
        await tab.set("system", "")
        await talk(tab, "さて")
        assert said_to(engine)[0] == "", "a system prompt that is taken away is gone"
        await tab.set("system", "丁寧に。")
        await page.get_by_label("Search").fill("見つからないもの")
        await expect(page.locator("#none-found")).to_be_visible()
        await page.get_by_label("Search").fill("")

        await page.get_by_role("button", name="Rename").click()
        await page.locator("#dialog-field").fill("自己紹介")
        await page.locator("#dialog-field").press("Enter")
        await expect(page.locator("#title")).to_have_text("自己紹介")
        await expect(rows(tab).locator(".title").first).to_have_text("自己紹介")
        for name, part in {"Markdown": "# 自己紹介", "JSON": '"title":"自己紹介"'}.items():
            async with page.expect_download() as started:
                await page.get_by_role("link", name=name).click()
            await (await started.value).save_as(tmp_path / name)
            assert part in (tmp_path / name).read_text(encoding="utf-8")

        await page.get_by_role("button", name="Delete", exact=True).click()
        await page.locator("dialog").get_by_role("button", name="Cancel").click()
        await expect(rows(tab)).to_have_count(2)
        await page.get_by_role("button", name="Delete", exact=True).click()
        await page.locator("#dialog-yes").click()
        await expect(rows(tab).locator(".title")).to_have_text(["天気は？"])
        await expect(page.locator(".turn")).to_have_count(0)


async def test_any_turn_is_retried_edited_and_branched_from_and_the_original_stays(open_tab: OpenTab) -> None:
    async with running_engine(repeats) as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        page = tab.page
        await tab.signed_in(gateway.key)
        first, second = await talk(tab, "一", "二")

        engine.script = Chat(["別の答え"])
        await second.get_by_role("button", name="Retry").click()
        await expect(second.locator(".answer")).to_have_text("別の答え")
        await tab.answered(second)
        assert said_to(engine) == ["一", "「一」ですね。", "二"]
        (kept,) = (await fetch(gateway.url, "/v1/conversations", key=gateway.key)).json["data"]
        assert kept["turns"] == 2

        engine.script = repeats
        await second.get_by_role("button", name="Edit").click()
        await second.locator(".edit-field").fill("弐")
        await second.locator(".edit-field").press("Enter")
        await expect(page.locator(".turn .question")).to_have_text(["一", "弐"])
        await expect(page.locator(".turn .answer").last).to_have_text("「弐」ですね。")
        assert said_to(engine) == ["一", "「一」ですね。", "弐"]
        await expect(page.locator("#chat-notice")).to_contain_text("branch")
        await expect(rows(tab)).to_have_count(2)

        await page.go_back()
        await expect(page.locator(".turn .question")).to_have_text(["一", "二"])
        await expect(page.locator(".turn .answer").last).to_have_text("別の答え")
        first = page.locator(".turn").first
        await first.get_by_role("button", name="Branch").click()
        await expect(page.locator(".turn")).to_have_count(1)
        await talk(tab, "三")
        assert said_to(engine) == ["一", "「一」ですね。", "三"]

        await page.locator(".turn").first.get_by_role("button", name="Edit").click()
        await page.locator(".edit-field").fill("壱")
        await page.locator(".edit-field").press("Enter")
        await expect(page.locator(".turn .question")).to_have_text(["壱"])
        await expect(page.locator(".turn .answer")).to_have_text("「壱」ですね。")
        assert said_to(engine) == ["壱"]
        await expect(rows(tab)).to_have_count(4)


async def test_a_cut_answer_is_gone_on_with(open_tab: OpenTab) -> None:
    async with (
        running_engine(Chat(["ここまで"], finish_reason="length")) as engine,
        gateway_on(engine) as gateway,
        open_tab(gateway.url, language="ja") as tab,
    ):
        await tab.signed_in(gateway.key)
        turn = await tab.ask("長い話")
        await expect(turn.locator(".notice")).to_contain_text("トークン数の上限")
        engine.script = Chat(["ここから"])
        await turn.get_by_role("button", name="続ける").click()
        assert await tab.answered(tab.page.locator(".turn").nth(1)) == "ここから"
        assert said_to(engine)[:2] == ["長い話", "ここまで"]
        assert "続けて" in said_to(engine)[2]


async def test_a_page_that_is_loaded_again_in_the_middle_of_an_answer_has_what_was_kept(open_tab: OpenTab) -> None:
    async with running_engine(ENDLESS) as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        page = tab.page
        await tab.signed_in(gateway.key)
        turn = await tab.ask("repeat")
        await expect(turn.locator(".answer")).to_contain_text("はい。はい。")
        await page.reload()
        await expect(turn.locator(".question")).to_have_text("repeat")
        await expect(turn.locator(".answer")).to_contain_text("はい。はい。")
        await expect(turn.locator(".notice")).to_have_text("This answer was cut.")
        await expect(turn.get_by_role("button", name="Continue")).to_be_visible()
        await eventually(lambda: engine.open == 0)
        engine.script = Chat(["全部。"])
        await turn.get_by_role("button", name="Retry").click()
        await expect(turn.locator(".answer")).to_have_text("全部。")
        await expect(turn.locator(".notice")).to_be_hidden()
        await tab.answered(turn)
        assert said_to(engine) == ["repeat"]

        engine.script = [until(asyncio.Event())]  # an answer that does not begin
        await tab.ask("silent")
        await eventually(lambda: len(engine.requests) == 3)
        await page.reload()
        await expect(page.locator(".turn .question")).to_have_text(["repeat", "silent"])
        last = page.locator(".turn").nth(1)
        await expect(last.locator(".notice")).to_contain_text("Nothing of it was kept")
        engine.script = repeats
        await last.get_by_role("button", name="Retry").click()
        await expect(last.locator(".answer")).to_have_text("「silent」ですね。")
        assert said_to(engine) == ["repeat", "全部。", "silent"]


@pytest.mark.slow
async def test_nobodys_conversation_is_another_projects(open_tab: OpenTab) -> None:
    async with running_engine(repeats) as engine, gateway_on(engine) as gateway:
        operator = (gateway.data / "admin_key").read_text(encoding="ascii").strip()
        keys = []
        for name in ("alice", "bob"):
            made = await fetch(gateway.url, "/admin/keys", {"name": name, "project": name}, key=operator)
            keys.append(made.json["key"])
        async with open_tab(gateway.url) as alice, open_tab(gateway.url) as bob:
            await alice.signed_in(keys[0])
            await talk(alice, "secret")
            await expect(rows(alice)).to_have_count(1)
            await bob.signed_in(keys[1])
            await talk(bob, "mine")
            await expect(rows(bob).locator(".title")).to_have_text(["mine"])
            bob.allowed.append("404 (Not Found)")
            await bob.page.goto(alice.page.url)
            await expect(bob.page.locator("#chat-notice")).to_contain_text("not there")
            assert "secret" not in await bob.page.locator("body").inner_text()


@pytest.mark.slow
async def test_without_a_history_the_page_sends_everything_along(open_tab: OpenTab) -> None:
    async with running_engine(repeats) as engine, gateway_on(engine) as gateway:
        operator = (gateway.data / "admin_key").read_text(encoding="ascii").strip()
        made = await fetch(gateway.url, "/admin/keys", {"name": "bare", "areas": ["calls"]}, key=operator)
        async with open_tab(gateway.url) as tab:
            tab.allowed.append("403 (Forbidden)")
            await tab.signed_in(made.json["key"])
            await expect(tab.page.locator("#no-memory")).to_be_visible()
            first, second = await talk(tab, "一", "二")
            assert said_to(engine) == ["一", "「一」ですね。", "二"]
            assert "conversation" not in json.loads((await tab.raw(second, "curl")).split(" -d ")[1].strip("'"))
            await second.get_by_role("button", name="Retry").click()
            await eventually(lambda: len(engine.requests) == 3)
            await tab.answered(second)
            assert said_to(engine) == ["一", "「一」ですね。", "二"]
            await first.get_by_role("button", name="Edit").click()
            await first.locator(".edit-field").fill("壱")
            await first.locator(".edit-field").press("Enter")
            await expect(tab.page.locator(".turn .answer")).to_have_text(["「壱」ですね。"])
            assert said_to(engine) == ["壱"]
