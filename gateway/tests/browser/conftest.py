"""A fresh tab for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from tests.browser.tab import OpenTab, Tab
from tests.support.chromium import PATIENCE_MS


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
        context.set_default_timeout(PATIENCE_MS)
        tab = Tab(url, context, await context.new_page())
        tabs.append(tab)
        await tab.open()
        return tab

    yield opened
    for tab in tabs:
        await tab.context.close()
        tab.check()
