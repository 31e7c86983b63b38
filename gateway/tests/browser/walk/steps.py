"""The whole walk: every step in its order, each from where the one before it has left the page."""

from __future__ import annotations

from pathlib import Path

from playwright.async_api import Browser

from tests.browser.tab import opened_tab
from tests.browser.walk import answering, comparing, operating, reaching, remembering, writing
from tests.browser.walk.scenery import scenery
from tests.browser.walk.walking import Kind, Walk
from tests.engines.launch import EngineProcess

LOCALES = {"ja": "ja-JP", "en": "en-US"}
STEPS = (
    writing.signs_in,
    writing.writes_with_an_ime,
    answering.shows_markdown_and_thoughts,
    reaching.is_printed,
    answering.stops_and_retries,
    writing.sets_and_presets,
    writing.calls_a_tool,
    answering.goes_on_where_it_was_cut,
    answering.edits_and_branches,
    answering.shows_what_is_behind,
    answering.leaves_turns_out,
    answering.waits_in_the_queue,
    answering.is_loaded_again_in_the_middle,
    writing.shows_pictures,
    remembering.finds_renames_exports_and_deletes,
    reaching.is_used_by_the_keyboard_alone,
    comparing.compares_models,
    operating.signs_the_operator_in,
    operating.ends_a_call,
    operating.manages_keys,
    operating.reloads_the_configuration,
    operating.looks_at_everything,
    reaching.reaches_operations,
    operating.signs_the_operator_out,
)


async def walk_through(browser: Browser, llamacpp: EngineProcess, kind: Kind, screens: Path | None) -> int:
    """Goes all of it, and leaves the pictures in `screens`, where that is a folder; how many views were looked at."""
    async with (
        scenery(llamacpp) as behind,
        opened_tab(
            browser,
            behind.gateway.url,
            language=LOCALES[kind.language],
            width=kind.width,
            dark=kind.dark,
            phone=kind.phone,
        ) as tab,
    ):
        walk = Walk(kind, tab, behind, screens)
        await walk.learn_words()
        try:
            for step in STEPS:
                await step(walk)
        except BaseException:
            if screens is not None:
                await tab.page.screenshot(path=screens / f"{kind}-failed.png")
            raise
        return walk.looks
