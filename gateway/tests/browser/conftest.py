"""A fresh tab for each test."""

from __future__ import annotations

from functools import partial

import pytest
from playwright.async_api import Browser

from tests.browser.tab import OpenTab, opened_tab


@pytest.fixture
def open_tab(browser: Browser) -> OpenTab:
    """Opens the page in a browser profile of its own."""
    return partial(opened_tab, browser)
