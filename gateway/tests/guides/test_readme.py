"""The first pages say the same in both languages, and what they give a browser asks an engine once, whatever becomes of it.

`test_walk.py` goes through them from a fresh clone; what is here is quick.
"""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser

from tests.browser.tab import gateway_on
from tests.guides.blocks import REPOSITORY, Block, bare, fenced
from tests.support.chromium import PATIENCE_MS
from tests.support.engine_faults import cut_mid_frame
from tests.support.engine_script import Chat
from tests.support.fake_engine import running_engine
from tests.support.gateway import KEY

PAGES = ("README.md", "examples/README.md")
LANGUAGES = ("", "sh", "python", "js", "yaml")
NEEDY = {"README.md": ["gpu", "engines"], "examples/README.md": []}
"""The closed list of what a test can't run, by what it needs."""


def japanese(page: str) -> str:
    return page.replace(".md", ".ja.md")


def read(page: str) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


def js(page: str) -> str:
    """The code for a browser's console."""
    (code,) = (each.code for each in fenced(read(page)) if each.language == "js")
    return code


@pytest.mark.parametrize("page", PAGES)
def test_both_languages_have_the_same_code(page: str) -> None:
    def told(blocks: list[Block]) -> list[tuple[str, str, list[str]]]:
        return [(each.language, each.needs, bare(each.code)) for each in blocks if each.language]

    assert told(fenced(read(page))) == told(fenced(read(japanese(page))))


@pytest.mark.parametrize("page", [*PAGES, *map(japanese, PAGES)])
def test_every_block_is_of_a_kind_that_is_run_and_few_need_more_than_a_machine_has(page: str) -> None:
    blocks = fenced(read(page))
    assert {each.language for each in blocks} <= set(LANGUAGES)
    assert len(blocks) == len(re.findall(r"^```", read(page), re.MULTILINE)) / 2
    assert [each.needs for each in blocks if each.needs] == NEEDY.get(page.replace(".ja", ""), [])


@pytest.mark.parametrize("page", [*PAGES, *map(japanese, PAGES)])
def test_every_link_leads_somewhere(page: str) -> None:
    folder = (REPOSITORY / page).parent
    for link in re.findall(r"\]\(([^)#]+)\)", read(page)):
        if not link.startswith("http"):
            assert (folder / link).exists(), link


def test_nothing_is_installed_by_a_name_that_is_not_ours() -> None:
    """The package index and the image registries have a `hayate` of somebody else's, or may have one tomorrow."""
    for document in sorted({*REPOSITORY.glob("*.md"), *REPOSITORY.glob("*/*.md"), *REPOSITORY.glob("llm/*/*.md")}):
        for line in document.read_text(encoding="utf-8").splitlines():
            assert not re.search(r"(pipx?|uvx?|npm|npx) .*\bhayate\b|docker (pull|run) .*hayate", line), (
                f"{document}: {line}"
            )


@pytest.mark.anyio
@pytest.mark.browser
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("dies", [False, True])
async def test_the_code_for_a_browser_asks_once_and_closes(browser: Browser, page: str, dies: bool) -> None:
    async with (
        running_engine(cut_mid_frame() if dies else Chat(["こん", "にちは"])) as engine,
        gateway_on(engine) as gateway,
    ):
        tab = await browser.new_page()
        tab.set_default_timeout(PATIENCE_MS)
        said: list[str] = []
        tab.on("dialog", lambda dialog: dialog.accept(KEY))
        tab.on("console", lambda message: said.append(message.text))
        await tab.goto(gateway.url)
        await tab.evaluate(
            f"""async () => {{
                {js(page)}
                await new Promise((closed) => {{
                    const look = () => (answer.readyState === EventSource.CLOSED ? closed() : setTimeout(look, 20));
                    look();
                }});
            }}"""
        )
        shown = "".join(said) + (await tab.locator("body").inner_text())
        assert "こんにち" in shown, "what came is shown, also when no more comes"
        assert len(engine.requests) == 1
        await tab.close()
