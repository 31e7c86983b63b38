"""Steps: what an answer looks like, how it ends, and what can be done with it."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

from playwright.async_api import expect

from tests.browser.walk.walking import ENDLESS, Walk, grammar
from tests.support.http import fetch
from tests.support.waiting import eventually

THOUGHT = {
    "ja": "二つの**モデル**を比べる表と、呼び出し方のコードが要る。",
    "en": "A table of both **models** is needed, and code that calls one.",
}
MARKDOWN = {
    "ja": """## 比較表

| モデル | 速度 | 価格 |
|:--|--:|:-:|
| small | 120 tok/s | **安い** |
| large | 30 tok/s | 高い |

1. まず `pip install openai` を実行します。
2. [説明](https://example.com/)を読みます。

```python
def ask(question: str) -> str:
    # 一度だけ質問する
    return client.chat.completions.create(model="fast", messages=[{"role": "user", "content": question}])
```

> 引用です。$E = mc^2$ はそのまま、\\[\\int_0^1 x\\,dx\\] も同じです。<b>HTMLも文字です</b>
""",
    "en": """## How they compare

| model | speed | price |
|:--|--:|:-:|
| small | 120 tok/s | **cheap** |
| large | 30 tok/s | dear |

1. First run `pip install openai`.
2. Then read [how it is called](https://example.com/).

```python
def ask(question: str) -> str:
    # asks once
    return client.chat.completions.create(model="fast", messages=[{"role": "user", "content": question}])
```

> A quotation. $E = mc^2$ stays as it is, and \\[\\int_0^1 x\\,dx\\], too. <b>HTML is text</b>
""",
}


async def shows_markdown_and_thoughts(walk: Walk) -> None:
    """What is thought is folded; code is coloured and copied; LaTeX and HTML stay text."""
    language = walk.kind.language
    said = f"<think>\n{THOUGHT[language]}\n</think>\n\n{MARKDOWN[language]}"
    await walk.settings(temperature=0, more=grammar(said))
    turn = await walk.ask({"ja": "二つのモデルを比べて。", "en": "Compare the two models."}[language])
    await expect(turn.locator("td").nth(1)).to_have_css("text-align", "right")
    await expect(turn.locator(".hljs-keyword").first).to_have_text("def")
    await expect(turn.locator(".answer")).to_contain_text("$E = mc^2$")
    await expect(turn.locator(".answer")).to_contain_text("\\[\\int_0^1 x\\,dx\\]")
    await expect(turn.locator(".answer")).to_contain_text("<b>HTML")
    await expect(turn.locator(".answer")).not_to_contain_text("<think>")
    await walk.button("copy", turn.locator(".code")).click()
    assert "completions.create(" in await walk.page.evaluate("navigator.clipboard.readText()")
    await walk.look("markdown")
    thoughts = turn.locator(".reasoning")
    await expect(thoughts.locator("strong")).to_be_hidden()
    await thoughts.locator("summary").click()
    await expect(thoughts.locator("strong")).to_be_visible()
    await walk.look("thoughts")
    await walk.settings(temperature=0)


async def stops_and_retries(walk: Walk) -> None:
    """The engine stops with the page."""
    await walk.settings(temperature=0, more=ENDLESS)
    turn = await walk.tab.ask(walk.question)
    await expect(turn.locator(".answer")).not_to_be_empty()
    await walk.look("streaming")
    await expect(turn).to_have_attribute("aria-busy", "true")
    await walk.button("stop").click()
    await expect(turn.locator(".notice")).to_have_text(walk.words["stopped"])
    await eventually(walk.scenery.llamacpp.idle)
    await expect(walk.button("send")).to_be_visible()
    await walk.look("stopped")
    await walk.settings(temperature=0, max_tokens=40)
    asked = len(walk.tab.questions)
    await walk.button("again", turn).click()
    await eventually(lambda: len(walk.tab.questions) == asked + 1)
    await walk.tab.answered(turn)
    await expect(turn.locator(".notice")).not_to_have_text(walk.words["stopped"])


async def goes_on_where_it_was_cut(walk: Walk) -> None:
    """A token limit cuts; what goes on says where it comes from."""
    await walk.new_chat()
    await walk.settings(temperature=0, max_tokens=12)
    cut = await walk.ask(walk.question)
    await expect(cut.locator(".notice")).to_have_text(walk.words["length"])
    await walk.settings(temperature=0, max_tokens=64)
    await walk.button("goOn", cut).click()
    await expect(walk.turns).to_have_count(2)
    await walk.tab.answered(walk.turns.last)
    await expect(walk.turns.last.locator(".question")).to_have_text(walk.words["continueWord"])
    await walk.look("cut-and-continued")


async def edits_and_branches(walk: Walk) -> None:
    """What stands further up is changed in a branch."""
    first = walk.turns.first
    await walk.button("edit", first).click()
    await walk.look("editing")
    await first.locator(".edit-field").fill("Hello")
    await first.locator(".edit-field").press("Enter")
    await expect(walk.turns).to_have_count(1)
    await expect(first.locator(".question")).to_have_text("Hello")
    await walk.tab.answered(first)
    await expect(walk.page.locator("#about")).to_be_visible()
    await walk.page.go_back()
    await expect(walk.turns).to_have_count(2)
    await walk.tab.answered(walk.turns.last)
    await walk.button("branch", walk.turns.first).click()
    await expect(walk.page.locator("#chat-notice")).to_have_text(walk.words["branched"])
    await expect(walk.turns).to_have_count(1)
    await walk.look("branch")


async def shows_what_is_behind(walk: Walk) -> None:
    """The request in three languages, the events with their times, and a replay that asks nobody."""
    await walk.new_chat()
    await walk.settings(temperature=0)
    turn = await walk.ask(walk.question)
    for kind, part in {"curl": "curl ", "python": "from openai", "javascript": "import OpenAI"}.items():
        assert part in await walk.tab.raw(turn, walk.words[kind])
        assert walk.question in await walk.tab.raw(turn, walk.words[kind])
        await walk.look(f"raw-{kind}")
    events = await walk.tab.raw(turn, walk.words["events"])
    assert re.search(r"\n\+\d+\.\d{3}s  data: \[DONE\]\n$", events)
    await walk.look("raw-events")
    asked, figures = len(walk.tab.questions), await turn.locator(".figures").text_content()
    await walk.button("replay", turn).click()
    await walk.tab.answered(turn)
    await expect(turn.locator(".answer")).to_have_text(walk.answer)
    await expect(turn.locator(".figures")).to_have_text(figures or "")
    assert len(walk.tab.questions) == asked


async def leaves_turns_out(walk: Walk) -> None:
    """Where the context is small, and says so."""
    await walk.new_chat("narrow")
    await walk.settings(temperature=0, max_tokens=100)
    for _ in range(8):
        turn = await walk.ask(walk.question)
        if await turn.locator(".omitted").is_visible():
            break
    await expect(turn.locator(".omitted")).to_be_visible()
    await expect(turn.locator(".figures")).to_contain_text(re.compile(r"\d"))
    await walk.look("omitted")


async def waits_in_the_queue(walk: Walk) -> None:
    """A place in the queue and how long it will take, while somebody else has the one place."""
    gateway = walk.scenery.gateway
    short = {"model": "one-place", "messages": [{"role": "user", "content": "x"}], "max_tokens": 8}
    assert (await fetch(gateway.url, "/v1/chat/completions", short, key=gateway.key)).status == 200
    body = {**short, **ENDLESS, "stream": True}
    other = asyncio.create_task(fetch(gateway.url, "/v1/chat/completions", body, key=gateway.key))
    await eventually(lambda: busy(walk))
    await walk.new_chat("one-place")
    await walk.settings(temperature=0)
    turn = await walk.tab.ask(walk.question)
    await expect(turn.locator(".figures")).to_contain_text(re.compile(r"1.*\d\.\d"))
    await walk.look("queue")
    other.cancel()
    with suppress(asyncio.CancelledError):
        await other
    assert await walk.tab.answered(turn) == walk.answer


async def busy(walk: Walk) -> bool:
    """Whether the engine is at work."""
    return not await walk.scenery.llamacpp.idle()


async def is_loaded_again_in_the_middle(walk: Walk) -> None:
    """What was kept is there, marked as cut, and can be gone on with."""
    await walk.new_chat()
    await walk.settings(temperature=0, more=ENDLESS)
    turn = await walk.tab.ask(walk.question)
    await expect(turn.locator(".answer")).not_to_be_empty()
    await walk.page.reload()
    await expect(turn.locator(".notice")).to_have_text(walk.words["cut"])
    await expect(turn.locator(".answer")).not_to_be_empty()
    await eventually(walk.scenery.llamacpp.idle)
    await expect(walk.button("goOn", turn)).to_be_visible()
    await walk.look("reloaded")
    await walk.settings(temperature=0)
    await walk.button("again", turn).click()
    await expect(turn.locator(".answer")).to_have_text(walk.answer)
