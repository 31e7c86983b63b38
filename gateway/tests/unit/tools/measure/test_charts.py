"""Plots: a page that fetches nothing and breaks on no name, and a PNG that is one."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hayate.language import Language
from hayate.tools.measure.chart import panels_of, shortened
from hayate.tools.measure.chart_html import render_html, write_html
from hayate.tools.measure.chart_png import write_png
from hayate.tools.measure.figures import figures_of
from hayate.tools.measure.record import ModelFigures, Record
from tests.unit.tools.measure.measured import call, failed, record

NASTY = "<script>alert(1)</script>\"'&$x_1$日本語" + "長" * 80


def figures(model: str) -> ModelFigures:
    return figures_of(model, [call(1), call(2, total_s=2.0, ttft_s=0.5)], wall_s=3.0)


BEFORE = record(figures("llama-3.3-70b"), label="before")
AFTER = record(figures("fast"), figures("smart"), label="after")
BROKEN = record(figures_of(NASTY, [failed("status_503", NASTY)], 1.0), label=NASTY)


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


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(
    ("shown", "before"), [(AFTER, None), (AFTER, BEFORE), (BROKEN, None), (BROKEN, BROKEN), (AFTER, BROKEN)]
)
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


def test_every_panel_has_the_same_bars_the_earlier_run_first() -> None:
    panels = panels_of(AFTER, BEFORE, "en")
    assert len(panels) == 6
    for panel in panels:
        bars = [(bar.series, bar.run, bar.model) for bar in panel.bars]
        assert bars == [(0, "before", "llama-3.3-70b"), (1, "after", "fast"), (1, "after", "smart")]
        assert all(bar.value is not None and bar.value <= panel.edge for bar in panel.bars)


def test_runs_of_the_same_name_are_told_apart() -> None:
    assert {bar.run for panel in panels_of(AFTER, AFTER, "ja") for bar in panel.bars} == {
        "after (変更前)",
        "after (変更後)",
    }


def test_a_long_name_keeps_its_end_and_a_kanji_counts_twice() -> None:
    assert shortened("/models/Llama-3.3-70B-Instruct-Q4_K_M.gguf", 20) == "…nstruct-Q4_K_M.gguf"
    assert shortened("長" * 30, 20) == "…" + "長" * 9
    assert shortened("長" * 10, 20) == "長" * 10


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(("shown", "before"), [(AFTER, BEFORE), (BROKEN, None)])
def test_a_png_is_drawn_whatever_the_names(
    tmp_path: Path, shown: Record, before: Record | None, language: Language
) -> None:
    path = tmp_path / "plot.png"
    write_png(shown, before, path, language)
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", data[16:24])
    assert width > 1000
    assert height > 300


def test_html_needs_no_matplotlib_and_a_png_says_that_it_does(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from hayate.tools.measure import commands\n"
        "from hayate.tools.measure.plan import check_plot\n"
        "from pathlib import Path\n"
        "check_plot(Path('x.html'))\n"
        "try:\n    check_plot(Path('x.png'))\nexcept Exception as error:\n    print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "pip install matplotlib" in ran.stdout


@pytest.mark.anyio
@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
async def test_a_browser_draws_the_page_without_a_request_or_a_complaint(tmp_path: Path, dark: bool) -> None:
    import shutil

    from playwright.async_api import async_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium: apt-get install chromium")
    path = tmp_path / "plot.html"
    write_html(BROKEN, BEFORE, path, "ja")
    asked: list[str] = []
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--headless", "--no-sandbox"])
        page = await browser.new_page(viewport={"width": 360, "height": 800}, color_scheme="dark" if dark else "light")
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(path.as_uri())
        overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        bars = await page.locator("svg rect").count()
        await browser.close()
    assert asked == [path.as_uri()]
    assert not complaints
    assert overflow <= 0
    assert bars == 12
