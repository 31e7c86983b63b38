"""Writing a question: keys, settings, limits, and a narrow screen."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.tab import OpenTab, gateway_on
from tests.support.engine_script import Chat
from tests.support.fake_engine import running_engine
from tests.support.quick import slow

pytestmark = [pytest.mark.anyio, pytest.mark.browser]


async def test_enter_that_accepts_an_ime_conversion_does_not_send(open_tab: OpenTab) -> None:
    async with (
        running_engine() as engine,
        gateway_on(engine) as gateway,
        open_tab(gateway.url, language="ja-JP") as tab,
    ):
        await tab.signed_in(gateway.key)
        await tab.page.locator("#prompt").focus()
        await tab.page.evaluate(
            "document.activeElement.addEventListener('keydown', (event) => (window.pressed ??= []).push(event.isComposing))"
        )
        devtools = await tab.context.new_cdp_session(tab.page)
        await devtools.send("Input.imeSetComposition", {"text": "にほんご", "selectionStart": 4, "selectionEnd": 4})
        # The key alone: an IME keeps the character that would come with it.
        await devtools.send(
            "Input.dispatchKeyEvent", {"type": "rawKeyDown", "key": "Enter", "windowsVirtualKeyCode": 13}
        )
        assert await tab.page.evaluate("pressed") == [True]
        await expect(tab.page.locator(".turn")).to_have_count(0)
        await devtools.send("Input.insertText", {"text": "日本語"})
        # Safari ends the composition first; only the key code tells that this Enter was the IME's.
        await tab.page.evaluate(
            "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', keyCode: 229, bubbles: true}))"
        )
        await expect(tab.page.locator(".turn")).to_have_count(0)
        assert engine.requests == []
        await tab.page.keyboard.press("Enter")
        await tab.answered(tab.page.locator(".turn"))
        assert engine.requests[0].json["messages"] == [{"role": "user", "content": "日本語"}]


async def test_shift_enter_starts_a_new_line_and_an_empty_question_is_not_sent(open_tab: OpenTab) -> None:
    async with running_engine() as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await tab.signed_in(gateway.key)
        await tab.page.locator("#prompt").press("Enter")
        await tab.page.keyboard.type("one")
        await tab.page.keyboard.press("Shift+Enter")
        await tab.page.keyboard.type("two")
        await tab.page.keyboard.press("Enter")
        await tab.answered(tab.page.locator(".turn"))
        assert [request.json["messages"][-1]["content"] for request in engine.requests] == ["one\ntwo"]


@pytest.mark.parametrize("length", [6000, *slow(10, 100_000)])
async def test_a_question_of_any_length_is_sent_once_and_whole(open_tab: OpenTab, length: int) -> None:
    async with running_engine() as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await tab.signed_in(gateway.key)
        await tab.answered(await tab.ask("長" * length))
        assert [len(request.json["messages"][-1]["content"]) for request in engine.requests] == [length]
        assert len(tab.questions) == 1


async def test_the_settings_reach_the_engine_and_mistakes_are_pointed_at(open_tab: OpenTab) -> None:
    async with (
        running_engine(Chat(["長い"], finish_reason="length")) as engine,
        gateway_on(engine) as gateway,
        open_tab(gateway.url) as tab,
    ):
        await tab.signed_in(gateway.key)
        for name, value in {"system": "簡潔に。", "max_tokens": "1", "temperature": "7", "seed": "42"}.items():
            await tab.set(name, value)
        await tab.page.locator("#settings summary").click()
        await tab.ask("短く")
        await expect(tab.page.locator("#temperature")).to_be_focused()
        assert engine.requests == []
        await tab.set("temperature", "0.5")
        turn = await tab.ask("短く")
        assert await tab.answered(turn) == "長い"
        await expect(turn.locator(".notice")).to_contain_text("token limit")
        sent = engine.requests[0].json
        assert [(m["role"], m["content"]) for m in sent["messages"]] == [("system", "簡潔に。"), ("user", "短く")]
        assert (sent["max_tokens"], sent["temperature"], sent["seed"]) == (1, 0.5, 42)


async def test_the_page_fits_a_phone_and_every_control_has_a_name(open_tab: OpenTab) -> None:
    async with (
        running_engine() as engine,
        gateway_on(engine) as gateway,
        open_tab(gateway.url, language="ja-JP", width=360, dark=True) as tab,
    ):
        await tab.signed_in(gateway.key)
        await tab.set("system", "やさしく")
        await tab.answered(await tab.ask("あ" * 500))
        assert await tab.page.evaluate("document.documentElement.scrollWidth") <= 360
        named = tab.page.locator("button:visible, input:visible, textarea:visible, select:visible")
        for control in await named.all():
            name = await control.evaluate(
                "(control) => control.ariaLabel || control.labels?.[0]?.textContent || control.textContent"
            )
            assert name.strip(), await control.evaluate("(control) => control.outerHTML")
        await expect(tab.page.get_by_role("log")).to_be_visible()
        background = await tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(int(part) for part in background.removeprefix("rgb(").removesuffix(")").split(",")) < 64
