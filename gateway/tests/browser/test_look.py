"""What the page looks like, and to whom: the keyboard alone, screen readers, light and dark.

axe-core (a package of tests/browser) must find nothing on any view; in every language, theme and size that is seen by the walk
(`test_walk.py`). Screenshots go into `.screens/`, for people to look at.
"""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.tab import OpenTab, gateway_on
from tests.browser.walk.walking import axe_source, violations
from tests.guides.blocks import REPOSITORY
from tests.support.engine_script import Chat
from tests.support.fake_engine import running_engine

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

SCREENS = REPOSITORY / ".screens"
WIDTH = 1200
MARKDOWN = """## 比較表 / A table

| モデル | 速度 | 価格 |
|:--|--:|:-:|
| small | 120 tok/s | **安い** |
| large | 30 tok/s | 高い |

1. まず `pip install openai` を実行します。
2. [説明](https://example.com/)を読みます。

```python
def ask(question: str) -> str:
    \"\"\"Asks once.\"\"\"
    return client.chat.completions.create(model="fast", messages=[{"role": "user", "content": question}]).choices[0]  # a long line
```

> 引用です。$E = mc^2$はそのまま。
"""
THOUGHT = [{"reasoning_content": "比較を求めている。"}]
CALL = {
    "index": 0,
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "東京"}'},
}
FOCUS = """() => {
  const at = document.activeElement;
  return [at.id || at.className || at.tagName, getComputedStyle(at).outlineStyle];
}"""
IN_ORDER = [
    "to-chat",
    "to-compare",
    "to-operations",
    "model",
    "theme",
    "language",
    "sign-out",
    "new",
    "search",
    "rename",
    "export-md",
    "remove",
    "log",
    "prompt",
    "send",
]


async def test_every_view_is_for_everybody(open_tab: OpenTab) -> None:
    axe = axe_source()
    SCREENS.mkdir(exist_ok=True)
    async with (
        running_engine(Chat([*THOUGHT, *(MARKDOWN[n : n + 5] for n in range(0, len(MARKDOWN), 5))])) as engine,
        gateway_on(engine) as gateway,
        open_tab(gateway.url, language="ja-JP", width=WIDTH) as tab,
    ):
        page = tab.page

        async def look(name: str) -> None:
            await page.screenshot(path=SCREENS / f"{name}.png")
            assert await violations(page, axe) == [], name
            assert await page.evaluate("document.documentElement.scrollWidth") <= WIDTH, name

        await expect(page.locator("#key")).to_be_focused()
        await page.evaluate("document.body.append(document.createElement('img'))")
        assert len(await violations(page, axe)) > 0, "it looks"
        await page.evaluate("document.querySelector('body > img').remove()")
        await look("1-sign-in")
        await tab.signed_in(gateway.key)
        await look("2-empty")
        turn = await tab.ask("二つのモデルを比べて。")
        await tab.answered(turn)
        link, speed = turn.get_by_role("link"), turn.locator("td").nth(1)
        assert await link.get_attribute("rel") == "noopener noreferrer"
        assert await link.get_attribute("target") == "_blank"
        assert await speed.evaluate("(cell) => getComputedStyle(cell).textAlign") == "right"
        await expect(turn.locator(".hljs-keyword").first).to_have_text("def")
        await expect(page.locator("#about")).to_be_visible()
        await look("3-answer")
        engine.script = Chat([{"tool_calls": [CALL]}], finish_reason="tool_calls")
        await tab.answered(turn := await tab.ask("天気は？"))
        await tab.raw(turn, "Python")
        await look("4-tool-and-raw")
        await page.locator("#settings summary").click()
        await look("5-settings")
        await page.locator("#remove").click()
        await look("6-dialog")
        await page.keyboard.press("Escape")
        await page.locator("#to-compare").click()
        engine.script = Chat([MARKDOWN])
        await page.locator("#prompt").fill("比べて。")
        await page.locator("#prompt").press("Enter")
        await expect(page.locator("#differences")).to_be_enabled()
        await look("7-side-by-side")
        await page.locator("#differences").click()
        await look("8-differences")


async def test_everything_is_done_by_the_keyboard_alone(open_tab: OpenTab) -> None:
    """Every control is reached by Tab, in the order in which it is read, and shows that it is."""
    async with running_engine(Chat([MARKDOWN])) as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await tab.signed_in(gateway.key)
        await tab.answered(await tab.ask("x"))
        await expect(tab.page.locator("#about")).to_be_visible()
        await tab.page.locator(".skip").focus()
        await tab.page.keyboard.press("Shift+Tab")
        seen: list[str] = []
        for _ in range(60):
            await tab.page.keyboard.press("Tab")
            at = await tab.page.evaluate(FOCUS)
            if at[0] == "BODY":
                continue  # around
            if at[0] in seen and at[0] == "skip":
                break
            seen.append(at[0])
            assert at[1] != "none", f"{at[0]} does not show that it has the focus"
        assert seen[0] == "skip"
        assert [each for each in seen if each in IN_ORDER] == IN_ORDER
        assert {"quiet again", "quiet copy-answer", "quiet edit", "quiet branch", "quiet show-raw", "table"} <= set(
            seen
        )


@pytest.mark.slow
async def test_light_and_dark_can_be_chosen_and_are_remembered(open_tab: OpenTab) -> None:
    async with running_engine() as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        ground = "getComputedStyle(document.body).backgroundColor"
        light = await tab.page.evaluate(ground)
        await tab.page.locator("#theme").click()
        dark = await tab.page.evaluate(ground)
        assert light != dark
        await tab.page.reload()
        assert await tab.page.evaluate(ground) == dark
        await tab.page.locator("#theme").click()
        assert await tab.page.evaluate(ground) == light
