"""One headless Chromium for all tests of a process, started when first wanted: starting one costs seconds.

It is Debian's own (`apt-get install chromium`); without it the tests that want one are skipped. Where there is
`chromium-headless-shell`, it is that: the same engine without windows, whose tests take half the processor time. A plugin (see
tests/conftest.py), because tests of several folders share it.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright, expect

from tests.support.waiting import LAST_RESORT_S

PATIENCE_MS = 1000 * LAST_RESORT_S
"""For whatever a page is waited for: `set_default_timeout(PATIENCE_MS)` on every context or page."""
expect.set_options(timeout=PATIENCE_MS)
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


def chromium_with_windows() -> str | None:
    """The program that people have, if it is installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def any_chromium() -> str | None:
    """The one that costs least, if there is one."""
    return shutil.which("chromium-headless-shell") or chromium_with_windows()


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Pages and contexts of it are closed by who opens them."""
    chromium = any_chromium()
    if chromium is None:
        pytest.skip("no chromium: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS), timeout=PATIENCE_MS)
        yield browser
        await browser.close()
