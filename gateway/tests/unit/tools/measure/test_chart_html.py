"""The plot as a page: it fetches nothing and breaks on no name."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.async_api import Browser

from hayate.language import Language
from hayate.tools.measure.chart_html import render_html, write_html
from hayate.tools.measure.record import Record
from tests.support.chromium import PATIENCE_MS
from tests.support.tables import table
from tests.unit.tools.measure.plotted import AFTER, BEFORE, BROKEN


class Tags(HTMLParser):
    """Everything in a page that could fetch or run something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.risky: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)
        if tag in ("script", "link", "img", "iframe", "object", "embed", "base", "image", "use"):
            self.risky.append(tag)
        self.risky += [name for name, _ in attrs if name in ("src", "href", "srcset") or name.startswith("on")]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@table("language", ["en", "ja"])
@table(("shown", "before"), [(AFTER, None), (AFTER, BEFORE), (BROKEN, None), (BROKEN, BROKEN), (AFTER, BROKEN)])
def test_a_page_is_whole_and_holds_nothing_that_fetches_or_runs(
    shown: Record, before: Record | None, language: Language
) -> None:
    page = render_html(shown, before, language)
    tags = Tags()
    tags.feed(page)
    assert not tags.open
    assert not tags.risky
    assert "default-src 'none'" in page
    assert not re.search(r"url\(|@import|https?://(?!127\.0\.0\.1)", page)
    assert f'lang="{language}"' in page


@pytest.mark.anyio
@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
async def test_a_browser_draws_the_page_without_a_request_or_a_complaint(
    browser: Browser, tmp_path: Path, dark: bool
) -> None:
    path = tmp_path / "plot.html"
    write_html(BROKEN, BEFORE, path, "ja")
    asked: list[str] = []
    complaints: list[str] = []
    page = await browser.new_page(viewport={"width": 360, "height": 800}, color_scheme="dark" if dark else "light")
    page.set_default_timeout(PATIENCE_MS)
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(path.as_uri())
    overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    bars = await page.locator("svg rect").count()
    await page.close()
    assert asked == [path.as_uri()]
    assert not complaints
    assert overflow <= 0
    assert bars == 12
