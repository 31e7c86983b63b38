"""docs-llm_api/engines-on-one-gpu.md does what it says: its configurations are accepted as they stand, its blocks are typed in
order beside a gateway with real llama.cpp, and both languages have the same.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from hayate.config.load import examine
from hayate.language import Language
from hayate.policy.tenant import State
from hayate.settings import Gpu, Loading, Run
from hayate.terminal import Paint
from hayate.tools.loading.answer import read_engines, read_gpus
from hayate.tools.loading.report import Report
from tests.guides.blocks import DOCS, bare, fenced
from tests.guides.terminal import Terminal
from tests.support.gateway import RunningGateway, running_gateway
from tests.unit.tools.loading.told import READY, SLEEPS

pytestmark = pytest.mark.anyio

PAGES = ("engines-on-one-gpu.md", "engines-on-one-gpu.ja.md")
MODEL = "Qwen/Qwen2.5-0.5B-Instruct-GGUF:Q4_K_M"
ANSWER = "こんにちは！ご用件は何でしょうか。😀"
"""What the tiny model has learned."""
TINY = files("hayate.tools.embedded") / "model" / "tiny-qwen2.gguf"


def read(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def configurations(page: str) -> list[str]:
    return [each.code for each in fenced(read(page)) if each.language == "yaml"]


def test_both_languages_have_the_same_code() -> None:
    one, other = ([(each.language, bare(each.code)) for each in fenced(read(page))] for page in PAGES)
    assert [each for each in one if each[0] != "text"] == [each for each in other if each[0] != "text"]
    assert {each[0] for each in one} == {"sh", "yaml", "text"}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for link, anchor in re.findall(r"\]\(([^)#]*)(?:#([^)]+))?\)", read(page)):
        assert (DOCS / link).exists(), link
        headings = re.findall(r"^#+ (.+)$", read(link or page), re.MULTILINE)
        assert not anchor or anchor in [each.lower().replace(" ", "-") for each in headings], anchor


@pytest.mark.parametrize("page", PAGES)
def test_every_configuration_is_accepted_and_nothing_is_odd_in_it(page: str, tmp_path: Path) -> None:
    for number, text in enumerate(configurations(page)):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text, encoding="utf-8")
        _, odd = examine(path, {"ENGINE_KEY": "sk-of-the-engine"})
        assert [each.en for each in odd] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_setting_and_every_state_is_explained(page: str) -> None:
    words = set(re.findall(r"`(\w+)", read(page))) | set(re.findall(r"^ +(\w+):", read(page), re.MULTILINE))
    settings = {field.name for each in (Gpu, Loading, Run) for field in dataclasses.fields(each)}
    assert settings <= words
    assert {each.value for each in State} <= words


@pytest.mark.parametrize(("page", "language"), [(PAGES[0], "en"), (PAGES[1], "ja")])
def test_the_list_looks_as_it_is_shown(page: str, language: Language) -> None:
    (sample,) = (each.code for each in fenced(read(page)) if each.code.startswith("疾風"))
    small = {**SLEEPS, "name": "small", "how": "run", "memory_bytes": 600 * 2**20, "since_s": 1, "last_load_s": 0.3}
    long = {**READY, "name": "long", "memory_bytes": 700 * 2**20, "since_s": 12, "last_load_s": 0.4, "pid": 21449}
    here: dict[str, Any] = {"backend": "llamacpp", "gpus": ["here"]}
    told = [{**small, **here, "waiting": 0}, {**long, **here, "why": "loaded"}]
    gpus = [{"name": "here", "memory_bytes": 2**30, "used_bytes": 700 * 2**20}]
    values = {"engines": told, "gpus": gpus}
    lines = Report(language, 80, Paint()).lines(
        read_engines(values), {"long": 123.4}, "http://127.0.0.1:8080", read_gpus(values)
    )
    assert sample.splitlines() == list(lines)


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    config = configurations(PAGES[0])[1].replace(MODEL, str(TINY))
    async with running_gateway(config=config) as found:
        yield found


async def test_every_block_works_as_it_stands(gateway: RunningGateway, tmp_path: Path) -> None:
    terminal = Terminal(gateway, tmp_path, "en", HAYATE_API_KEY=gateway.key)
    shown = [await terminal.types(each.code) for each in fenced(read(PAGES[0])) if each.language == "sh"]
    called, daily = shown
    assert re.search(r"^small \(llamacpp, run\) +unloaded", called, re.MULTILINE)
    assert ": queue place=1\n: waiting model=small\n" in called
    assert called.rstrip().endswith("data: [DONE]")
    assert re.search(r"^long \(llamacpp, run\) +ready", daily, re.MULTILINE)
    assert re.search(r"^small \(llamacpp, run\) +unloaded", daily, re.MULTILINE), "it has given way"
    engines = json.loads((tmp_path / "ps.json").read_bytes())["engines"]
    assert {each["name"]: each["state"] for each in engines} == {"small": "unloaded", "long": "ready"}
    assert daily.rstrip().endswith(ANSWER)
    looked = await terminal.types("hayate ps")
    assert re.search(r"^long \(llamacpp, run\) +unloaded", looked, re.MULTILINE)
