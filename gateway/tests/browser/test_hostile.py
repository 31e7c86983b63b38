"""What a model says is untrusted: whatever it writes, nothing runs, nothing is fetched, and the page stays quick."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.browser.tab import OpenTab, gateway_on
from tests.browser.tasks import CATEGORIES, tasks_ms
from tests.support.engine_script import Chat
from tests.support.fake_engine import running_engine
from tests.support.held import slowness

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

ELSEWHERE = "http://127.0.0.1:1"
RUNS = "document.title='run'"
HOSTILE = {
    "a script": f"<script>{RUNS}</script>",
    "a broken picture": f'<img src=x onerror="{RUNS}"> and <IMG/SRC=x/ONERROR={RUNS}>',
    "a picture": f"![x]({ELSEWHERE}/a.png) ![y](session) <img src='{ELSEWHERE}/b.png'>",
    "links": (
        f"[a](javascript:{RUNS}) [b](JaVaScRiPt&colon;{RUNS}) [c](data:text/html,<script>{RUNS}</script>) "
        f"[d]( vbscript:x) <javascript:{RUNS}> [e](//127.0.0.1:1/x) [f](session)"
    ),
    "a reference": f"[a]\n\n[a]: javascript:{RUNS}",
    "svg": f'<svg onload="{RUNS}"><use href="{ELSEWHERE}/x.svg#a"/><animate onbegin="{RUNS}"/></svg>',
    "mathml": (
        f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror={RUNS}&gt;">'
        "</style></mglyph></table></mtext></math>"
    ),
    "mutation": f'<svg></p><style><a id="</style><img src=1 onerror={RUNS}>">',
    "a frame": f'<iframe srcdoc="<script>parent.{RUNS}</script>"></iframe><object data="{ELSEWHERE}/x"></object>',
    "styles": f"<style>*{{background:url({ELSEWHERE}/c)}}</style><link rel=stylesheet href={ELSEWHERE}/d.css>",
    "a form": f'<form action="{ELSEWHERE}"><button formaction="javascript:{RUNS}">x</button></form><base href="{ELSEWHERE}/">',
    "attributes in code": f'```"><img/src=x/onerror={RUNS}>\nx\n```\n\n``` python onload={RUNS}\nprint("</code><script>")\n```',
    "clobbering": '<a id="log" name="body"></a><input id="prompt" name="attributes">',
    "right to left": "safe \u202egnp.exe\u202c \u2066x\u2069 and \u0627\u0644\u0633\u0644\u0627\u0645",
    "ansi": "\x1b[31mred\x1b[0m \x1b]8;;http://127.0.0.1:1\x07link\x1b]8;;\x07 \x00 \x7f",
    "an unclosed fence": "```js\nlet x = '<b>';\n" + "x += 1;\n" * 20,
    "a table": "|a|b|\n|-|-|\n" + "|<b>1</b>|`2`|\n" * 20,
    "nested quotes": ">" * 3000 + " deep",
    "nested lists": "".join(f"{'  ' * n}- x\n" for n in range(60)),
    "emphasis": "*a **b " * 500 + "[" * 500 + "`" * 301,
}


async def test_nothing_that_a_model_writes_runs_or_is_fetched(open_tab: OpenTab) -> None:
    async with running_engine() as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await tab.signed_in(gateway.key)
        for text in HOSTILE.values():
            engine.script = Chat([text[n : n + 7] for n in range(0, len(text), 7)])
            await tab.answered(await tab.ask("x"))
        await tab.page.reload()  # and as the history has it
        await expect(tab.page.locator(".turn")).to_have_count(len(HOSTILE))
        await expect(tab.page.locator(".turn .answer:empty")).to_have_count(0)
        answers = tab.page.locator(".answer")
        foreign = "script, img, svg, math, iframe, object, style, link, form, base, input, [style], [id], [name]"
        assert await answers.locator(foreign).count() == 0
        links = await answers.locator("a").evaluate_all("(all) => all.map((link) => link.getAttribute('href'))")
        assert [link for link in links if not link.startswith("http://127.0.0.1:1")] == [], "only what one must click"
        text = await tab.page.locator("#log").text_content() or ""
        assert "\u202e" not in text
        assert "⟨U+202E⟩" in text
        assert "␛[31mred" in text
        assert await tab.page.title() == "Hayate: debug chat"
        assert [url for url in tab.requests if not url.startswith(gateway.url) and not url.startswith("data:")] == []


LONG_TASK_MS = 100
PIECES = {
    "prose": "これは**速い**答えです。[リンク](https://example.com/)と`code`もあります。\n\n",
    "a list": "1. 項目 **太字** `x`\n   - ネスト\n",
    "a table": "| 表 | **太字** | 3 |\n",
    "code": "def f(x: int) -> str:\n    return f'{x!r}'  # 日本語\n",
}
OPENINGS = {"a table": "| a | b | c |\n|---|---|---|\n", "code": "```python\n"}


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.parametrize("kind", PIECES)
async def test_a_long_answer_that_comes_quickly_makes_no_long_task(
    browser: Browser, open_tab: OpenTab, kind: str
) -> None:
    """2,000 tokens at 200 a second. A task is measured by the processor time that it takes, whatever else the machine does, and
    what the test itself asks of the page is none of the page's.
    """
    text = OPENINGS.get(kind, "") + PIECES[kind] * 400
    tokens = [text[n : n + 4] for n in range(0, 8000, 4)]
    async with (
        running_engine(Chat(tokens, gap_s=0.005)) as engine,
        gateway_on(engine) as gateway,
        open_tab(gateway.url) as tab,
    ):
        await tab.signed_in(gateway.key)
        await browser.start_tracing(page=tab.page, categories=[*CATEGORIES])
        turn = await tab.ask("long")
        slow = slowness()
        await tab.answered(turn)
        slow = max(slow, slowness())
        tasks = tasks_ms(await browser.stop_tracing())
    assert len(tasks) > 1000
    assert max(tasks) < LONG_TASK_MS * slow


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.parametrize("kind", [*PIECES, "one line", "one fence"])
async def test_a_huge_answer_that_comes_at_once_is_shown_whole(open_tab: OpenTab, kind: str) -> None:
    """100,000 characters."""
    text = {"one line": "あ", "one fence": "```\n" + "x" * 79 + "\n"}.get(kind) or OPENINGS.get(kind, "") + PIECES[kind]
    text = (text * (100_000 // len(text) + 1))[:100_000] + "終わり"
    async with running_engine(Chat([text])) as engine, gateway_on(engine) as gateway, open_tab(gateway.url) as tab:
        await tab.signed_in(gateway.key)
        turn = await tab.ask("huge")
        assert (await tab.answered(turn)).endswith("終わり")
        await tab.page.locator("#prompt").fill("still there")
