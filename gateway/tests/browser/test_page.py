"""The page against a scripted engine: what it shows, what it sends, and what it leaves alone."""

from __future__ import annotations

import asyncio
import os
import re

import pytest
from playwright.async_api import expect

from tests.browser.tab import OpenTab, gateway_on
from tests.support.engine_faults import cut_mid_frame
from tests.support.engine_script import Chat, answer, error
from tests.support.fake_engine import running_engine
from tests.support.gateway import running_gateway
from tests.support.quick import slow
from tests.support.waiting import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

ENDLESS = Chat(["はい。"] * 5000, gap_s=0.05)
TEXT_NAMES = """import("/static/texts.js").then(({ texts }) => [Object.keys(texts), Object.keys(texts.hints)])"""
HOSTILE = '<img src=x onerror="alert(1)"><script>alert(2)</script> **太字** &lt;'


async def test_stop_releases_the_engine(open_tab: OpenTab) -> None:
    async with running_engine(ENDLESS) as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await tab.signed_in(gateway.key)
        turn = await tab.ask("repeat")
        await expect(turn.locator(".answer")).to_contain_text("はい。" * 5)
        await tab.page.get_by_role("button", name="Stop").click()
        await eventually(lambda: engine.open == 0)
        assert "はい。" in await tab.answered(turn)
        await expect(turn.locator(".notice")).to_have_text("Stopped.")
        await expect(turn.locator(".figures")).to_have_text(
            re.compile(r"^first token\s\d+\sms · ~\d+\.\d\stokens/s · out\s~\d+$")
        )
        await expect(tab.page.get_by_role("button", name="Send")).to_be_visible()
        assert [call["status"] for call in await gateway.logged(1)] == [499]
        assert len(engine.requests) == 1


async def test_closing_the_tab_releases_the_engine(open_tab: OpenTab) -> None:
    async with running_engine(ENDLESS) as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await tab.signed_in(gateway.key)
        turn = await tab.ask("repeat")
        await expect(turn.locator(".answer")).to_contain_text("はい。はい。")
        await tab.page.close()
        await eventually(lambda: engine.open == 0)


async def test_html_of_the_model_and_of_the_engine_is_shown_as_text(open_tab: OpenTab) -> None:
    async with (
        running_engine(Chat([HOSTILE, HOSTILE])) as engine,
        gateway_on(engine) as gateway,
        open_tab(gateway.url) as tab,
    ):
        await tab.signed_in(gateway.key)
        turn = await tab.ask(HOSTILE)
        shown = HOSTILE.replace("**", "").replace("&lt;", "<")
        assert await tab.answered(turn) == shown * 2
        assert await turn.locator(".question").text_content() == HOSTILE
        assert await turn.locator("strong").all_text_contents() == ["太字", "太字"]
        assert await tab.page.locator("#log :is(img, script)").count() == 0
        engine.script = error(400, HOSTILE)
        tab.allowed.append("400 (Bad Request)")
        turn = await tab.ask("again")
        await expect(turn.locator(".notice")).to_contain_text(HOSTILE)
        assert await turn.locator(":is(img, script, strong)").count() == 0


@pytest.mark.parametrize(
    ("language", "sign_in", "says"),
    [("ja-JP", "サインイン", "キーが違います"), *slow(("en-US", "Sign in", "no key of this gateway"))],
)
async def test_a_wrong_key_is_an_error_in_the_browsers_language(
    open_tab: OpenTab, language: str, sign_in: str, says: str
) -> None:
    async with (
        running_engine() as engine,
        gateway_on(engine) as gateway,
        open_tab(gateway.url, language=language) as tab,
    ):
        tab.allowed.append("401 (Unauthorized)")
        await expect(tab.page.get_by_role("heading", name=sign_in)).to_be_visible()
        await tab.sign_in("sk-not-the-key")
        await expect(tab.page.get_by_role("alert")).to_contain_text(says)
        await expect(tab.page.locator("#signed-in")).to_be_hidden()
        await tab.signed_in(gateway.key)
        await expect(tab.page.locator("#prompt")).to_be_focused()


async def test_the_language_can_be_switched_and_is_remembered(open_tab: OpenTab) -> None:
    async with (
        running_engine() as engine,
        gateway_on(engine) as gateway,
        open_tab(gateway.url, language="ja-JP") as tab,
    ):
        await expect(tab.page.get_by_label("APIキー", exact=True)).to_be_visible()
        await tab.page.get_by_role("button", name="English").click()
        await expect(tab.page.get_by_label("API key", exact=True)).to_be_visible()
        await tab.page.reload()
        await expect(tab.page.get_by_label("API key", exact=True)).to_be_visible()
        assert await tab.page.evaluate("document.documentElement.lang") == "en"
        await tab.signed_in(gateway.key)
        names = []
        for language in ("日本語", "English"):
            assert "undefined" not in await tab.page.locator("body").inner_text()
            names.append(await tab.page.evaluate(TEXT_NAMES))
            await tab.page.get_by_role("button", name=language).click()
        assert names[0] == names[1]


async def test_an_error_in_the_middle_keeps_the_text_says_what_to_do_and_asks_no_second_time(open_tab: OpenTab) -> None:
    async with running_engine(cut_mid_frame()) as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await tab.signed_in(gateway.key)
        turn = await tab.ask("cut")
        assert await tab.answered(turn) == "こんにち"
        await expect(turn.locator(".notice")).to_contain_text("The engine failed. Try again")
        assert len(tab.questions) == len(engine.requests) == 1
        engine.script = Chat(["ふたたび"])
        await turn.get_by_role("button", name="Retry").click()
        await expect(turn.locator(".answer")).to_have_text("ふたたび")
        assert len(tab.questions) == len(engine.requests) == 2


async def test_a_lost_connection_is_said_and_can_be_tried_again(open_tab: OpenTab) -> None:
    async with running_engine(ENDLESS) as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        tab.allowed.append("net::ERR_")
        await tab.signed_in(gateway.key)
        turn = await tab.ask("repeat")
        await expect(turn.locator(".answer")).to_contain_text("はい。")
        gateway.process.kill()
        await expect(turn.locator(".notice")).to_contain_text("The connection was lost")
        assert len(tab.questions) == len(engine.requests) == 1
        await turn.get_by_role("button", name="Retry").click()
        await expect(turn.locator(".notice")).to_contain_text("can't be reached")
        assert "はい。" in await tab.answered(turn), "what came is still there"
        assert len(tab.questions) == 1, "what the history has is looked at first"


@pytest.mark.parametrize("status", [400, 503, *slow(422)])
async def test_a_refused_question_is_asked_once_and_shows_the_gateways_reason(open_tab: OpenTab, status: int) -> None:
    async with (
        running_engine(error(status, "no such voice")) as engine,
        gateway_on(engine) as gateway,
        open_tab(gateway.url) as tab,
    ):
        tab.allowed.append("Failed to load resource")
        await tab.signed_in(gateway.key)
        turn = await tab.ask("long")
        await tab.answered(turn)
        if status < 500:
            await expect(turn.locator(".notice")).to_contain_text("no such voice")
        await expect(turn.locator(".notice")).not_to_be_empty()
        assert len(tab.questions) == len(engine.requests) == 1
        await expect(tab.page.get_by_role("button", name="Send")).to_be_visible()


async def test_a_lost_session_leads_back_to_signing_in_and_keeps_the_conversation(open_tab: OpenTab) -> None:
    async with running_engine() as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await tab.signed_in(gateway.key)
        await tab.answered(await tab.ask("first"))
        await expect(tab.page.locator("#about")).to_be_visible()  # nothing more is asked for by itself
        await tab.context.clear_cookies()
        tab.allowed.append("401 (Unauthorized)")
        turn = await tab.ask("second")
        await expect(tab.page.get_by_role("alert").first).to_contain_text("session has ended")
        await tab.signed_in(gateway.key)
        await turn.get_by_role("button", name="Retry").click()
        await expect(turn.locator(".answer")).to_have_text("こんにちは。")
        assert [request.json["messages"][-1]["content"] for request in engine.requests] == ["first", "second"]
        assert len(engine.requests[1].json["messages"]) == 3


async def test_signing_out_ends_the_session_and_clears_the_page(open_tab: OpenTab) -> None:
    async with running_engine() as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await tab.signed_in(gateway.key)
        await tab.answered(await tab.ask("secret"))
        await tab.page.get_by_role("button", name="Sign out").click()
        await expect(tab.page.locator("#key")).to_be_focused()
        assert await tab.page.locator(".turn").count() == 0
        assert await tab.context.cookies() == []
        await tab.page.reload()
        await expect(tab.page.locator("#key")).to_be_visible()


async def test_aliases_come_first_and_say_whether_they_are_ready(open_tab: OpenTab) -> None:
    async with running_engine(model="small") as small, running_engine(model="large") as large:
        await large.refuse()
        config = f"""
        deployments:
          seven: {{ backend: vllm, model: small, replicas: ["{small.url}"] }}
          seventy: {{ backend: vllm, model: large, replicas: ["{large.url}"] }}
        aliases: {{ default: seven, smart: seventy }}
        health: {{ probe_interval_s: 0.2, eject_after: 1 }}
        """
        async with running_gateway(config=config) as gateway:
            await gateway.ready()
            async with open_tab(gateway.url) as tab:
                await tab.signed_in(gateway.key)
                model, dot = tab.page.locator("#model"), tab.page.locator("#ready-dot")
                groups = await model.locator("optgroup").evaluate_all("(all) => all.map((group) => group.label)")
                assert groups == ["Aliases", "Deployments"]
                await expect(model).to_have_value("default")
                await expect(dot).to_have_class("dot ready")
                await model.select_option("smart")
                await expect(dot).to_have_class("dot")
                await expect(model.locator("option[value=smart]")).to_have_text(
                    "smart → seventy (its engine is not running yet)"
                )
                await model.select_option("seven")
                await tab.answered(await tab.ask("どの7B？"))
                assert small.requests[0].json["model"] == "small"


async def test_the_copied_curl_command_gives_the_same_answer(open_tab: OpenTab) -> None:
    async with (
        running_engine(Chat(["コピー", "できた"])) as engine,
        gateway_on(engine) as gateway,
        open_tab(gateway.url) as tab,
    ):
        await tab.signed_in(gateway.key)
        turn = await tab.ask("it's \"quoted\"; $(exit 1) `x` \\ '改行\n'")
        await tab.answered(turn)
        await turn.get_by_role("button", name="Copy answer").click()
        assert await tab.page.evaluate("navigator.clipboard.readText()") == "コピーできた"
        shown = await tab.raw(turn, "curl")
        await turn.locator(".copy-raw").click()
        await expect(turn.get_by_role("button", name="Copied")).not_to_have_count(0)
        command = await tab.page.evaluate("navigator.clipboard.readText()")
        assert command == shown
        assert gateway.key not in command
        curl = await asyncio.create_subprocess_exec(
            "sh", "-c", command, stdout=-1, stderr=-1, env={**os.environ, "HAYATE_API_KEY": gateway.key}
        )
        out, err = await curl.communicate()
        assert curl.returncode == 0, err
        assert "コピー" in out.decode()
        assert "[DONE]" in out.decode()
        first, second = (request.json["messages"] for request in engine.requests)
        assert first == second


async def test_why_a_model_can_not_be_used_stands_on_the_page(open_tab: OpenTab) -> None:
    async with running_engine() as engine:
        engine.routes["/health"] = error(503, "Loading model")
        env = {"LLM_BACKEND": "vllm", "BACKEND_URL": engine.url, "MODEL": engine.model}
        async with running_gateway(env) as gateway, open_tab(gateway.url, language="ja") as tab:
            await tab.signed_in(gateway.key)
            await expect(tab.page.locator("#not-ready")).to_have_text("default: モデルを読み込み中です")
            engine.routes["/health"] = answer({"status": "ok"})
            await expect(tab.page.locator("#not-ready")).to_have_text("")
