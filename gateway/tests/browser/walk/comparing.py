"""Steps: one prompt to two to four models."""

from __future__ import annotations

import json

from playwright.async_api import expect

from tests.browser.walk.walking import Walk
from tests.support.waiting import eventually

MOST = 4
WORDS = {
    "ja": ["今日は", ("晴れ", "雨", "曇り"), "で、気温は", ("高く", "低く"), "、風は", ("強い", "弱い"), "でしょう。"],
    "en": [
        "Today is ",
        ("sunny", "rainy", "cloudy"),
        " and ",
        ("warm", "cold"),
        ", with ",
        ("strong", "little"),
        " wind.",
    ],
}
HOT = {"top_k": 0, "top_p": 1, "min_p": 0}


def forecast(language: str) -> dict[str, str]:
    """The grammar of a forecast, of which the model chooses some words."""
    parts = [[each] if isinstance(each, str) else each for each in WORDS[language]]
    quoted = (" | ".join(json.dumps(word, ensure_ascii=False) for word in part) for part in parts)
    return {"grammar": "root ::= " + " ".join(f"({part})" for part in quoted)}


async def compares_models(walk: Walk) -> None:
    """Every column with its figures, and what the others say differently from the first, word by word."""
    page, columns = walk.page, walk.page.locator(".column")
    await page.locator("#to-compare").click()
    await walk.settings(temperature=2, more={**HOT, **forecast(walk.kind.language)})
    for count in range(2, MOST + 1):
        await expect(columns).to_have_count(count)
        await ask_all(walk)
        while count == 2 and len(set(await columns.locator(".answer").all_text_contents())) == 1:
            await ask_all(walk)
        await walk.look(f"{count}-side-by-side")
        if count == 2:
            await page.locator("#differences").click()
            await expect(columns.nth(1).locator(".changes :is(ins, del)").first).to_be_visible()
            await walk.look("differences")
        if count < MOST:
            await walk.button("moreModels").click()
    await expect(walk.button("moreModels")).to_be_disabled()
    await walk.button("fewerModels").click()
    await expect(columns).to_have_count(MOST - 1)


async def ask_all(walk: Walk) -> None:
    """The same of every model, until the last has answered."""
    asked = len(walk.tab.questions)
    count = await walk.page.locator(".column").count()
    await walk.page.locator("#prompt").fill({"ja": "東京の天気は？", "en": "How is the weather?"}[walk.kind.language])
    await walk.page.locator("#prompt").press("Enter")
    await eventually(lambda: len(walk.tab.questions) == asked + count)
    await expect(walk.page.locator("#differences")).to_be_enabled()
    await expect(walk.page.locator(".column .gaps")).to_have_count(count)
