"""docs-llm_api/queue.md does what it says: its blocks are typed in order beside a gateway, and both languages have the same."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest

from hayate.config.load import load_config
from hayate.language import Language
from hayate.policy.ceiling import Why
from hayate.terminal import Paint
from hayate.tools.top.look import Call, read_look
from hayate.tools.top.screen import Screen
from tests.guides.blocks import DOCS, bare, fenced
from tests.guides.terminal import Terminal, beside
from tests.support.gateway import RunningGateway
from tests.unit.tools.top.told import BOT, LANE, call, calls, deployment

pytestmark = pytest.mark.anyio

PAGES = ("queue.md", "queue.ja.md")
DEPLOYMENT = 'deployments: {{qwen: {{backend: vllm, model: {model}, replicas: ["{url}"], gpu: gpu0}}}}\naliases: {{fast: qwen}}\n'


def read(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def test_both_languages_have_the_same_code() -> None:
    one, other = ([(each.language, bare(each.code)) for each in fenced(read(page))] for page in PAGES)
    assert [each for each in one if each[0] != "text"] == [each for each in other if each[0] != "text"]
    assert {each[0] for each in one} == {"sh", "yaml", "text"}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for link, anchor in re.findall(r"\]\(([^)#]+)(?:#([^)]+))?\)", read(page)):
        assert (DOCS / link).exists(), link
        headings = re.findall(r"^#+ (.+)$", read(link), re.MULTILINE)
        assert not anchor or anchor in [each.lower().replace(" ", "-") for each in headings], anchor


@pytest.mark.parametrize("page", PAGES)
def test_the_configuration_is_accepted(page: str, tmp_path: Path) -> None:
    (block,) = (each for each in fenced(read(page)) if each.language == "yaml")
    (tmp_path / "c.yaml").write_text(block.code, encoding="utf-8")
    assert set(load_config(tmp_path / "c.yaml", {}).deployments) == {"qwen-7b", "qwen-0.5b"}


@pytest.mark.parametrize("page", PAGES)
def test_every_reason_of_a_ceiling_is_explained(page: str) -> None:
    _, _, table = read(page).partition("| `why` | |")
    table, _, _ = table.partition("\n## ")
    assert {*re.findall(r"`(\w+)`", "\n".join(row.split("|")[1] for row in table.splitlines() if "|" in row))} == {
        *get_args(Why)
    }


@pytest.mark.parametrize(("page", "language"), [("queue.md", "en"), ("queue.ja.md", "ja")])
def test_the_view_looks_as_it_is_shown(page: str, language: Language) -> None:
    (sample,) = (each.code for each in fenced(read(page)) if each.code.startswith("疾風"))
    look = read_look(0.0, {"deployments": [deployment(LANE, BOT)]}, calls(call(72.25)))
    screen = Screen(language, 80, None, Paint())
    assert sample.splitlines() == screen.lines(look, {"qwen": 1234.56}, "http://127.0.0.1:8080", "10:21:23")


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    async with beside(DEPLOYMENT, "こん", "にちは") as found:
        yield found


async def test_every_block_works_as_it_stands(gateway: RunningGateway, tmp_path: Path) -> None:
    terminal = Terminal(gateway, tmp_path, "en", HAYATE_API_KEY=gateway.key)
    shown = [await terminal.types(each.code) for each in fenced(read("queue.md")) if each.language == "sh"]
    _, called, looked = shown
    assert "data: [DONE]" in called
    assert "qwen (vllm, gpu0)" in looked
    told = json.loads((tmp_path / "top.json").read_bytes())
    [qwen] = told["deployments"]
    documented = {*re.findall(r"`(\w+)`", read("queue.md"))}
    parts = [told, qwen, qwen["ceilings"][0], LANE, Call.__dataclass_fields__]
    assert {name for part in parts for name in part} - documented <= {"deployments", "ceilings", "lanes", "calls"}
