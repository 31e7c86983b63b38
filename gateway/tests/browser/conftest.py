"""A headless Chromium for all of a process, and a fresh tab for each test.

The browser is Debian's own (`apt-get install chromium`); without it these tests are skipped.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from tests.browser.tab import OpenTab, Tab

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for all tests: starting one costs seconds."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield browser
        await browser.close()


@pytest.fixture
async def open_tab(browser: Browser) -> AsyncIterator[OpenTab]:
    """Opens the page in a browser profile of its own; at the end the tab must have nothing to complain about."""
    tabs: list[Tab] = []

    async def opened(url: str, *, language: str = "en-US", width: int = 1100, dark: bool = False) -> Tab:
        context = await browser.new_context(
            locale=language,
            viewport={"width": width, "height": 760},
            color_scheme="dark" if dark else "light",
            permissions=["clipboard-read", "clipboard-write"],
        )
        tab = Tab(url, context, await context.new_page())
        tabs.append(tab)
        await tab.open()
        return tab

    yield opened
    for tab in tabs:
        await tab.context.close()
        tab.check()
