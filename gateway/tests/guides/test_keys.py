"""docs-llm_api/keys.md does what it says: its blocks are typed in order beside a gateway, and both languages have the same."""

from __future__ import annotations

import csv
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hayate import errors
from hayate.config.load import load_config
from hayate.language import Language
from hayate.store.usage import Used
from hayate.tools.records.report import AddedUp, usage_table
from tests.guides.blocks import DOCS, REPOSITORY, bare, fenced
from tests.guides.terminal import Terminal, beside
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import fetch
from tests.support.scene import CHAT_PATH

pytestmark = pytest.mark.anyio

PAGES = ("keys.md", "keys.ja.md")
DEPLOYMENT = 'deployments: {{qwen: {{backend: vllm, model: {model}, replicas: ["{url}"]}}}}\naliases: {{fast: qwen, smart: qwen}}\n'
README = REPOSITORY / "README.md"
HELLO = {"model": "fast", "messages": [{"role": "user", "content": "こんにちは"}]}


def read(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def test_both_languages_have_the_same_code() -> None:
    one, other = ([(each.language, bare(each.code)) for each in fenced(read(page))] for page in PAGES)
    assert [each for each in one if each[0] != "text"] == [each for each in other if each[0] != "text"]
    assert {each[0] for each in one} == {"sh", "yaml", "text"}


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


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    async with beside(DEPLOYMENT, "こん", "にちは", key="") as found:
        yield found


@pytest.mark.slow
async def test_every_block_works_as_it_stands(gateway: RunningGateway, tmp_path: Path) -> None:
    terminal = Terminal(gateway, tmp_path, "en")
    blocks = [each.code for each in fenced(read("keys.md")) if each.language == "sh"]
    shown = [await terminal.types(code) for code in blocks]
    made, updated, _, used, record, http, files = shown
    assert "こんにちは" in made
    assert "rpm=60 tpm=100000" in made
    assert "rpm=120" in updated
    assert re.search(r"^game +1 ", used, re.MULTILINE)
    with (tmp_path / "usage.csv").open(encoding="utf-8") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["fast"]
    assert '"request_id"' in record
    assert http.count('"state":"active"') == 3
    assert http.count('"state":"revoked"') == 1
    assert ": sound." in files
    assert (tmp_path / "copies/hayate.db").is_file()


async def test_the_five_lines_of_the_first_page(gateway: RunningGateway, tmp_path: Path) -> None:
    terminal = Terminal(gateway, tmp_path, "ja")
    (code,) = (each.code for each in fenced(README.read_text(encoding="utf-8")) if "hayate key create" in each.code)
    assert len(bare(code)) == 5
    for _ in range(2):  # whoever pastes them again finds everything as it was
        shown = await terminal.types(code)
        assert re.search(r"^sk-hy-[0-9a-f]{12}-", shown)
        assert "失効させました" in shown


async def test_a_copy_in_the_files_place_is_what_was_kept(gateway: RunningGateway, tmp_path: Path) -> None:
    terminal = Terminal(gateway, tmp_path, "ja")
    key = (await terminal.types("hayate key create --name game 2>/dev/null")).strip()
    await terminal.types("hayate db backup copy.db && hayate key revoke game")
    await gateway.stop()
    files = "hayate.db-wal", "hayate.db-shm"
    await terminal.types(f"cp copy.db $HAYATE_DATA/hayate.db && cd $HAYATE_DATA && rm -f {' '.join(files)}")
    assert all(name in read(page) for page in PAGES for name in files)
    env = {"LLM_BACKEND": "vllm", "BACKEND_URL": "http://127.0.0.1:9", "HAYATE_DATA": str(gateway.data)}
    async with running_gateway(env) as again:
        assert (await fetch(again.url, "/v1/models", key=key)).status == 200


async def test_a_refusal_looks_as_it_is_shown(gateway: RunningGateway, tmp_path: Path) -> None:
    samples = [each.code for page in PAGES for each in fenced(read(page)) if each.code.startswith("HTTP/1.1 429")]
    assert len(samples) == len(PAGES)
    key = (await Terminal(gateway, tmp_path, "en").types("hayate key create --name one --rpm 1 2>/dev/null")).strip()
    first, second = [await fetch(gateway.url, CHAT_PATH, HELLO, key=key) for _ in range(2)]
    assert (first.status, second.status) == (200, 429)
    for name in (line.partition(":")[0] for sample in samples for line in sample.splitlines()[1:]):
        assert name in second.headers
        assert name in first.headers or name == "retry-after"


SHOWN = (
    Used("a", 12_480, 31, 1_840_000, 612_040, 701_112, 0),
    Used("b", 1_022, 0, 102_200, 0, 51_100, 5),
    Used("main", 7, 1, 1_204, 0, 980, 0),
)


@pytest.mark.parametrize(("page", "language"), [("keys.md", "en"), ("keys.ja.md", "ja")])
def test_usage_looks_as_it_is_shown(page: str, language: Language) -> None:
    (sample,) = (each.code for each in fenced(read(page)) if "12,480" in each.code)
    labels = {"a": "game", "b": "日本語のボット", "main": "owner"}
    assert sample.splitlines()[1:] == usage_table(AddedUp("key", (0.0, 1.0), SHOWN, labels), language, 80)[1:]


def test_every_code_of_the_table_is_one() -> None:
    known = {each.code for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "code")}
    for page in PAGES:
        table = re.findall(r"^\| \d{3} `(\w+)` \|", read(page), re.MULTILINE)
        assert len(table) >= 7
        assert {*table} <= known | {"invalid_request_error"}
