"""Steps: who signs in, how a question is written, and how it is to be answered."""

from __future__ import annotations

import base64
import re

from playwright.async_api import expect

from tests.browser.walk.scenery import SEES
from tests.browser.walk.walking import Walk
from tests.engines.known import WEATHER_TOOL

RED = """(() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 96, height: 64 });
  const pen = canvas.getContext("2d");
  pen.fillStyle = "red";
  pen.fillRect(0, 0, 96, 64);
  return canvas.toDataURL("image/png").split(",")[1];
})()"""
GIVE = """([data, how]) => {
  const files = new DataTransfer();
  files.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], "a.png", { type: "image/png" }));
  const [kind, field] = how === "paste" ? [ClipboardEvent, "clipboardData"] : [DragEvent, "dataTransfer"];
  document.querySelector("#prompt").dispatchEvent(new kind(how, { [field]: files, bubbles: true, cancelable: true }));
}"""


async def signs_in(walk: Walk) -> None:
    """With a wrong key, and then with the right one."""
    await expect(walk.page.locator("#key")).to_be_focused()
    await walk.look("sign-in")
    walk.tab.allowed.append("401 (Unauthorized)")
    await walk.tab.sign_in("sk-not-the-key")
    await expect(walk.page.locator("#sign-in-notice")).to_have_text(walk.words["wrongKey"])
    await walk.look("wrong-key")
    await walk.tab.signed_in(walk.scenery.gateway.key)
    await expect(walk.page.locator("#prompt")).to_be_focused()
    await walk.look("welcome")


async def writes_with_an_ime(walk: Walk) -> None:
    """Enter within a composition sends nothing, nor does Shift+Enter; Enter does."""
    await walk.settings(temperature=0)
    await walk.page.locator("#prompt").focus()
    devtools = await walk.tab.context.new_cdp_session(walk.page)
    await devtools.send("Input.imeSetComposition", {"text": "にほんご", "selectionStart": 4, "selectionEnd": 4})
    enter = {"type": "rawKeyDown", "key": "Enter", "windowsVirtualKeyCode": 13}
    await devtools.send("Input.dispatchKeyEvent", enter)
    await walk.look("ime")
    await devtools.send("Input.insertText", {"text": walk.question})
    await expect(walk.turns).to_have_count(0)
    assert walk.tab.questions == []
    await walk.page.keyboard.press("Enter")
    assert await walk.tab.answered(walk.turns.first) == walk.answer
    await expect(walk.turns.first.locator(".gaps")).to_be_visible()
    await expect(walk.page.locator("#about")).to_be_visible()
    await walk.look("answer")
    await walk.page.keyboard.type("Hello")
    await walk.page.keyboard.press("Shift+Enter")
    await walk.page.keyboard.type("Hello")
    await expect(walk.turns).to_have_count(1)
    await walk.page.keyboard.press("Enter")
    await walk.tab.answered(walk.turns.nth(1))
    assert await walk.turns.nth(1).locator(".question").text_content() == "Hello\nHello"


async def sets_and_presets(walk: Walk) -> None:
    """A system prompt and sampling, kept as a preset; a mistake is pointed at."""
    page = walk.page
    name = {"ja": "猫", "en": "cat"}[walk.kind.language]
    await walk.settings()
    await page.locator("#settings summary").click()
    await expect(page.locator("#temperature")).to_have_attribute("placeholder", re.compile(r"0\.8"))
    await walk.look("defaults")
    await page.locator("#settings summary").click()
    await walk.settings(system="簡潔に。/ Be brief.", temperature=7, top_p=0.9, seed=42, max_tokens=64)
    asked = len(walk.tab.questions)
    await walk.tab.ask("x")
    await expect(page.locator("#temperature")).to_be_focused()
    assert len(walk.tab.questions) == asked
    await page.locator("#temperature").fill("0")
    await page.locator("#preset-name").fill(name)
    await walk.button("presetSave").click()
    await walk.look("settings")
    await page.reload()
    await expect(page.locator("#model option")).not_to_have_count(0)
    await page.locator("#settings summary").click()
    assert await page.locator("#temperature").input_value() == ""
    await page.locator("#preset").select_option(name)
    await page.locator("#settings summary").click()
    await walk.ask("x")
    sent = await walk.tab.raw(walk.turns.last, "curl")
    assert all(part in sent for part in ('"temperature":0', '"top_p":0.9', '"seed":42', "Be brief."))
    await page.locator("#settings summary").click()
    await walk.button("presetDelete").click()
    await expect(page.locator("#preset option")).to_have_count(1)
    await page.locator("#settings summary").click()
    await walk.settings(temperature=0)


async def calls_a_tool(walk: Walk) -> None:
    """The model calls it, a person answers for it, and the model goes on."""
    await walk.new_chat()
    await walk.settings(temperature=0, max_tokens=200, more={"tools": [WEATHER_TOOL]})
    turn = await walk.ask("東京の天気は？")
    card = turn.locator(".card")
    await expect(card.locator(".card-title")).to_contain_text("get_weather")
    await expect(card.locator(".card-json")).to_have_text('{\n  "city": "東京",\n  "unit": "c"\n}')
    await walk.look("tool")
    await walk.settings(temperature=0, max_tokens=40, more={"tools": [WEATHER_TOOL], "tool_choice": "none"})
    await card.locator("textarea").fill('{"sky": "晴れ"}')
    await walk.button("sendOutputs", turn).click()
    await walk.tab.answered(turn)
    await expect(card.locator(".card-output")).to_have_text('{"sky": "晴れ"}')
    await expect(turn.locator(".answer > .said")).not_to_be_empty()
    await walk.look("tool-answered")


async def shows_pictures(walk: Walk) -> None:
    """Pasted, dropped and chosen, for the scripted engine; of the tiny model llama.cpp says that it can't see, and so the page."""
    page = walk.page
    data = await page.evaluate(RED)
    await walk.new_chat(SEES)
    for how in ("paste", "drop"):
        await page.evaluate(GIVE, [data, how])
    async with page.expect_file_chooser() as chosen:
        await page.get_by_label(walk.words["attach"]).click()
    file = walk.scenery.gateway.data.parent / "red.png"
    file.write_bytes(base64.b64decode(data))
    await (await chosen.value).set_files(file)
    await expect(page.locator("#pictures img")).to_have_count(3)
    await walk.look("pictures-chosen")
    await walk.button("removePicture").first.click()
    turn = await walk.ask({"ja": "何色？", "en": "Which colour?"}[walk.kind.language])
    await expect(turn.locator(".pictures img")).to_have_count(2)
    await expect(turn.locator(".answer")).to_contain_text("red")
    await walk.look("pictures-by-a-scripted-engine")
    await walk.new_chat()
    await page.evaluate(GIVE, [data, "paste"])
    await expect(page.locator("#no-pictures")).to_have_text(walk.words["noPictures"])
    await expect(page.locator("#pictures img")).to_have_count(0)
    await walk.look("no-pictures")
