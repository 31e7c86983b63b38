"""A fresh tab for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser

from tests.browser.tab import OpenTab, Tab
from tests.support.chromium import PATIENCE_MS


@pytest.fixture
def open_tab(browser: Browser) -> OpenTab:
    """Opens the page in a browser profile of its own. At its end, which comes before the gateway's, the tab must have nothing to
    complain about."""

    @asynccontextmanager
    async def opened(url: str, *, language: str = "en-US", width: int = 1100, dark: bool = False) -> AsyncIterator[Tab]:
        context = await browser.new_context(
            locale=language,
            viewport={"width": width, "height": 760},
            color_scheme="dark" if dark else "light",
            permissions=["clipboard-read", "clipboard-write"],
        )
        context.set_default_timeout(PATIENCE_MS)
        tab = Tab(url, context, await context.new_page())
        try:
            await tab.open()
            yield tab
        finally:
            await context.close()
        tab.check()

    return opened
