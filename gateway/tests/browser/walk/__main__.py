"""Walks, and leaves pictures: `python -m tests.browser.walk --all --screenshots FOLDER`, or the names of some of the eight."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from playwright.async_api import async_playwright

from tests.browser.walk.scenery import thinking_llamacpp
from tests.browser.walk.steps import walk_through
from tests.browser.walk.walking import KINDS
from tests.support.chromium import ARGUMENTS, chromium_with_windows

ALL = [str(each) for each in KINDS]


def kind(name: str) -> str:
    """One of ALL."""
    if name not in ALL:
        raise argparse.ArgumentTypeError(f"one of {', '.join(ALL)}")
    return name


async def main(names: list[str], screens: Path) -> None:
    """One after the other."""
    screens.mkdir(parents=True, exist_ok=True)
    chromium = chromium_with_windows()
    with tempfile.TemporaryDirectory(prefix="hayate-walk-") as folder, thinking_llamacpp(Path(folder)) as llamacpp:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
            for kind in KINDS:
                if str(kind) in names:
                    began_s = time.monotonic()
                    looks = await walk_through(browser, llamacpp, kind, screens)
                    print(f"{kind}: {looks} views, {time.monotonic() - began_s:.0f} s", flush=True)
            await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.browser.walk")
    parser.add_argument("kinds", nargs="*", type=kind, metavar="KIND", help=", ".join(ALL))
    parser.add_argument("--all", action="store_true", help="all eight")
    parser.add_argument("--screenshots", type=Path, default=Path("../.screens/walk"), metavar="FOLDER")
    chosen = parser.parse_args()
    if not (chosen.all or chosen.kinds):
        parser.error("which? --all, or some by name")
    asyncio.run(main(ALL if chosen.all else chosen.kinds, chosen.screenshots))
