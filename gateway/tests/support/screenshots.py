"""The screenshots of the READMEs, of the page as it is; `gateway/scripts/screenshots` makes them, before the scripted engine."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from playwright.async_api import Browser, Page, ViewportSize, async_playwright

from tests.support.chromium import ARGUMENTS, PATIENCE_MS, chromium_with_windows
from tests.support.engine_script import Chat
from tests.support.fake_engine import FakeEngine, running_engine
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import fetch

IMAGES = Path(__file__).parents[3] / "docs-llm_api/images"
SIZE: ViewportSize = {"width": 1200, "height": 780}
BUSY_S = 40
QUESTIONS = {
    "en": ("Which model suits a chat bot?", "Which is faster, and how do I call it?"),
    "ja": ("チャットボットにはどのモデルが向いていますか。", "どちらが速いですか。呼び出し方も教えてください。"),
}
FIRST = {
    "en": "The small one: it answers at once, and one card holds it.",
    "ja": "小さいほうです。すぐに答え、GPU1枚に収まります。",
}
ANSWERS = {
    "en": """The small one, by far:

| model | first token | tokens/s |
|:--|--:|--:|
| `fast` | 40 ms | **212** |
| `smart` | 180 ms | 41 |

```python
from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8080/v1", api_key=key)
client.chat.completions.create(model="fast", messages=messages)
```
""",
    "ja": """小さいモデルのほうが、ずっと速いです。

| モデル | 最初のトークン | トークン/秒 |
|:--|--:|--:|
| `fast` | 40 ms | **212** |
| `smart` | 180 ms | 41 |

```python
from openai import OpenAI

client = OpenAI(base_url="http://127.0.0.1:8080/v1", api_key=key)
client.chat.completions.create(model="fast", messages=messages)
```
""",
}


def said(text: str) -> Chat:
    """An answer in small pieces, at a pace."""
    return Chat([text[n : n + 3] for n in range(0, len(text), 3)], gap_s=0.005, model="qwen2.5-7b")


async def ask(page: Page, question: str) -> None:
    """Asks, and waits for the whole answer and its conversation's name."""
    before = await page.locator(".turn").count()
    await page.locator("#prompt").fill(question)
    await page.locator("#prompt").press("Enter")
    await page.locator(".turn:not([aria-busy]) .tools").nth(before).wait_for()
    await page.locator("#about").wait_for()
    await page.locator(".turn:not([aria-busy]) .answer > *").nth(before).wait_for()


async def busy(gateway: RunningGateway) -> None:
    """A little to be seen of the last half minute."""
    asked = {"messages": [{"role": "user", "content": "x"}], "stream": True}
    until = time.monotonic() + BUSY_S

    async def calls() -> None:
        while time.monotonic() < until:
            await fetch(gateway.url, "/v1/chat/completions", asked, key=gateway.key)

    await asyncio.gather(*(calls() for _ in range(3)))


async def shoot(browser: Browser, gateway: RunningGateway, language: str, engine: FakeEngine) -> None:
    """Chat and operations, in one language."""
    context = await browser.new_context(
        locale={"en": "en-US", "ja": "ja-JP"}[language], viewport=SIZE, color_scheme="light"
    )
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    await page.goto(gateway.url)
    await page.locator("#key").fill(gateway.key)
    await page.locator("#key").press("Enter")
    await page.locator("#model option").first.wait_for(state="attached")
    for question, answer in zip(QUESTIONS[language], (FIRST, ANSWERS), strict=True):
        engine.script = said(answer[language])
        await ask(page, question)
    await page.wait_for_timeout(500)
    await page.screenshot(path=IMAGES / f"page-{language}.png")
    await busy(gateway)
    await page.goto(f"{gateway.url}/#/operations")
    await page.locator("#operator-key").fill((gateway.data / "admin_key").read_text(encoding="ascii").strip())
    await page.locator("#operator-key").press("Enter")
    await page.locator("#operator-view tbody tr").first.wait_for()
    await page.locator("#plots canvas").first.wait_for()
    await page.screenshot(path=IMAGES / f"operations-{language}.png")
    await context.close()


async def main() -> None:
    """Makes them all."""
    chromium = chromium_with_windows()
    IMAGES.mkdir(exist_ok=True)
    async with running_engine(model="qwen2.5-7b") as engine, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        for language in QUESTIONS:
            config = f"""
            deployments:
              qwen-7b: {{ backend: vllm, model: qwen2.5-7b, replicas: ["{engine.url}"] }}
            aliases: {{ default: qwen-7b, fast: qwen-7b }}
            """
            async with running_gateway(config=config) as gateway:
                await gateway.ready()
                operator = (gateway.data / "admin_key").read_text(encoding="ascii").strip()
                for name in ("discord-bot", "game"):
                    await fetch(gateway.url, "/admin/keys", {"name": name, "project": name}, key=operator)
                await shoot(browser, gateway, language, engine)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
