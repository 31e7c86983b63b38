"""One walk: what the page is called in its language, what every step uses, and a look at each view, which axe looks at, too."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from playwright.async_api import Locator, Page, expect

from tests.browser.tab import Tab
from tests.browser.walk.scenery import Scenery
from tests.engines.known import ENGLISH, JAPANESE
from tests.support.page_packages import unpacked

WORDS = """import("/static/texts.js").then(({ texts }) =>
  Object.fromEntries(Object.entries(texts).filter(([, text]) => typeof text === "string")))"""
WHOLE_HEIGHT = """Math.min(6000, innerHeight + Math.max(0,
  ...[...document.querySelectorAll("#log, #operations, #compare, .column > div")]
    .map((each) => each.scrollHeight - each.clientHeight)))"""
ENDLESS = {"ignore_eos": True, "max_tokens": 20_000}


@dataclass(frozen=True)
class Kind:
    """Which of the eight a walk is."""

    language: str
    dark: bool
    phone: bool

    @property
    def width(self) -> int:
        return 360 if self.phone else 1280

    def __str__(self) -> str:
        return f"{self.language}-{'dark' if self.dark else 'light'}-{'phone' if self.phone else 'desktop'}"


KINDS = [Kind(*each) for each in product(("ja", "en"), (False, True), (False, True))]


def axe_source() -> str:
    """axe-core, a package of tests/browser."""
    return (unpacked() / "axe-core/axe.min.js").read_text(encoding="utf-8")


async def violations(page: Page, axe: str) -> list[str]:
    """What axe finds, of any level."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(axe)
    found: list[dict[str, Any]] = await page.evaluate(
        "axe.run(document, { resultTypes: ['violations'] }).then((r) => r.violations)"
    )
    return [f"{each['id']}: {node['html'][:200]} {node['failureSummary']}" for each in found for node in each["nodes"]]


def grammar(text: str) -> dict[str, str]:
    """The field of a request by which llama.cpp says exactly this."""
    return {"grammar": f"root ::= {json.dumps(text, ensure_ascii=False)}"}


class Walk:
    """A tab before the scenery. `question` is one whose `answer` the tiny model knows by heart; `screens` is a folder, if any."""

    def __init__(self, kind: Kind, tab: Tab, scenery: Scenery, screens: Path | None) -> None:
        self.kind = kind
        self.tab = tab
        self.page = tab.page
        self.scenery = scenery
        self.words: dict[str, str] = {}
        self.question, self.answer = {
            "ja": ("日本語で答えて", JAPANESE),
            "en": ("Tell me about the gateway", ENGLISH),
        }[kind.language]
        self._screens = screens
        self._axe = axe_source()
        self.looks = 0

    async def learn_words(self) -> None:
        """The page's own texts, in the language that it chose."""
        assert await self.page.evaluate("document.documentElement.lang") == self.kind.language
        self.words = await self.page.evaluate(WORDS)

    def button(self, name: str, within: Locator | None = None) -> Locator:
        """A button by the name of its text."""
        return (within or self.page).get_by_role("button", name=self.words[name], exact=True)

    def table(self, name: str) -> Locator:
        return self.page.get_by_role("table", name=self.words[name], exact=True)

    @property
    def turns(self) -> Locator:
        return self.page.locator(".turn")

    async def look(self, name: str, *, aside: tuple[str, ...] = ()) -> None:
        """A picture of all that can be scrolled to; nothing is wider than the screen, axe finds nothing but what is put `aside`."""
        self.looks += 1
        where = f"{self.kind}-{self.looks:02}-{name}"
        assert await self.page.evaluate("document.documentElement.scrollWidth") <= self.kind.width, where
        assert "undefined" not in await self.page.locator("body").inner_text(), where
        found = [each for each in await violations(self.page, self._axe) if not each.startswith(aside)]
        assert not found, "\n".join([where, *found])
        if self._screens is None:
            return
        size = self.page.viewport_size
        assert size is not None
        for _ in range(2):  # some parts grow with the screen
            whole = await self.page.evaluate(WHOLE_HEIGHT)
            await self.page.set_viewport_size({"width": size["width"], "height": whole})
        await self.page.evaluate("document.querySelector('#operations').scrollTop = 0")
        await self.page.screenshot(path=self._screens / f"{where}.png", full_page=True)
        await self.page.set_viewport_size(size)

    async def settings(self, **values: object) -> None:
        """Fills in settings, and folds them again; what is not named is emptied."""
        folded = not await self.page.locator("#settings").evaluate("(settings) => settings.open")
        if folded:
            await self.page.locator("#settings summary").click()
        for name in ("system", "max_tokens", "temperature", "top_p", "seed", "more"):
            value = values.get(name, "")
            await self.page.locator(f"#{name}").fill(json.dumps(value) if isinstance(value, dict) else str(value))
        await self.page.locator("#settings summary").click()

    async def ask(self, question: str) -> Locator:
        """A question, until its whole answer is there."""
        turn = await self.tab.ask(question)
        await self.tab.answered(turn)
        return turn

    async def new_chat(self, model: str = "default") -> None:
        """A conversation from its beginning, with a model."""
        await self.open_sidebar()
        await self.button("newChat").click()
        await expect(self.turns).to_have_count(0)
        await self.page.locator("#model").select_option(model)

    async def open_sidebar(self) -> None:
        """On a phone it is folded away."""
        if self.kind.phone and not await self.page.locator("#sidebar").is_visible():
            await self.page.locator("#open-sidebar").click()
