"""The walk through everything that the page can do, before a real llama.cpp; of its eight kinds the two that have nothing in common
(`python -m tests.browser.walk --all` walks the others).
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.browser.walk.scenery import thinking_llamacpp
from tests.browser.walk.steps import walk_through
from tests.browser.walk.walking import Kind

pytestmark = [pytest.mark.anyio, pytest.mark.browser, pytest.mark.slow]

OPPOSITES = [Kind("ja", dark=True, phone=True), Kind("en", dark=False, phone=False)]


@pytest.mark.parametrize("kind", OPPOSITES, ids=str)
async def test_everything_can_be_done(browser: Browser, kind: Kind, tmp_path: Path) -> None:
    with thinking_llamacpp(tmp_path) as llamacpp:
        assert await walk_through(browser, llamacpp, kind, screens=None) > len(OPPOSITES)
