"""docs-llm_api/history.md does what it says: its blocks are typed in order beside a gateway, and both languages have the same."""

from __future__ import annotations

import json
import re
import sys
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hayate.config.load import load_config
from tests.guides.blocks import DOCS, bare, fenced
from tests.guides.terminal import Terminal, beside
from tests.support.gateway import RunningGateway

pytestmark = pytest.mark.anyio

PAGES = ("history.md", "history.ja.md")
DEPLOYMENT = """
deployments: {{qwen: {{backend: trtllm, model: {model}, replicas: ["{url}"]}}}}
aliases: {{fast: qwen, smart: qwen}}
"""
ANSWER = "花子さんですね。"


def read(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def test_both_languages_have_the_same_code() -> None:
    one, other = ([(each.language, bare(each.code)) for each in fenced(read(page))] for page in PAGES)
    assert one == other
    assert {each[0] for each in one} == {"sh", "python", "toml", "yaml"}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", read(page)):
        assert (DOCS / link).exists(), link


@pytest.mark.parametrize("page", PAGES)
def test_the_configuration_is_accepted(page: str, tmp_path: Path) -> None:
    for block in (each for each in fenced(read(page)) if each.language == "yaml"):
        text = DEPLOYMENT.format(model="m", url="http://127.0.0.1:9") + block.code
        (tmp_path / "c.yaml").write_text(text, encoding="utf-8")
        load_config(tmp_path / "c.yaml", {})


def test_the_codex_clis_configuration_leads_here() -> None:
    (block,) = (each.code for each in fenced(read("history.md")) if each.language == "toml")
    wanted = tomllib.loads(block)
    provider = wanted["model_providers"][wanted["model_provider"]]
    assert (wanted["model"], provider["env_key"], provider["wire_api"]) == ("fast", "HAYATE_API_KEY", "responses")
    assert provider["base_url"] == "http://127.0.0.1:8080/v1"


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    async with beside(DEPLOYMENT, "花子", "さんですね。") as found:
        yield found


async def test_every_block_works_as_it_stands(gateway: RunningGateway, tmp_path: Path) -> None:
    terminal = Terminal(gateway, tmp_path, "en", HAYATE_API_KEY=gateway.key)
    shown = []
    for block in (each for each in fenced(read("history.md")) if each.language in ("sh", "python")):
        code = block.code
        if block.language == "python":
            (tmp_path / "block.py").write_text(terminal.beside(code), encoding="utf-8")
            code = f"{sys.executable} block.py"
        shown.append(await terminal.types(code))
    talked, sdk, anew, responses, looked = shown
    assert talked.count("data: [DONE]") == 1
    assert sdk.splitlines() == [ANSWER] * 2
    assert ANSWER in anew
    assert '"deleted":true' in responses
    items = json.loads((tmp_path / "items.json").read_bytes())["data"]
    assert [(each["role"], each["content"][0]["text"]) for each in items] == [
        ("user", "私は花子です。"),
        ("assistant", ANSWER),
        ("user", "私の名前は？"),
        ("assistant", ANSWER),
    ]
    assert "自己紹介" in looked
    assert len((tmp_path / "everything.ndjson").read_text(encoding="utf-8").splitlines()) >= 3
    left = await terminal.types('curl -sf "$HISTORY" -H "$AUTH"')
    assert json.loads(left)["data"] == []
