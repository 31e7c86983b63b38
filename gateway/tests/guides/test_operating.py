"""docs-llm_api/operating.md lists every metric that there is with its labels, and shows models as `hayate ps` does, in both
languages.
"""

from __future__ import annotations

import re

import pytest

from hayate.language import Language
from hayate.terminal import Paint
from hayate.tools.loading.answer import read_engines, read_gpus
from hayate.tools.loading.report import Report
from tests.guides.blocks import REPOSITORY
from tests.support.scene import PLAIN, scene
from tests.unit.tools.loading.told import ELSEWHERE, FAILED, GPU, READY, SLEEPS

GPUS = read_gpus({"gpus": [GPU]})
pytestmark = pytest.mark.anyio


def listed(page: str) -> dict[str, set[str]]:
    """The labels of every metric in the page's table."""
    text = (REPOSITORY / "docs-llm_api" / page).read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`(?:hayate|gen_ai)_[^|]+) \| ([^|]*)\|", text, re.MULTILINE)
    return {
        name: set(re.findall(r"`(\w+)`", labels)) for names, labels in rows for name in re.findall(r"`(\w+)`", names)
    }


async def test_every_metric_is_in_the_table_with_its_labels() -> None:
    async with scene(limits={"requests_per_minute": 1000}) as stage:
        await stage.post(PLAIN)
        text = (await stage.get("/metrics")).text
    told = set(re.findall(r"^# TYPE (\w+) \w+$", text, re.MULTILINE))
    for page in ("operating.md", "operating.ja.md"):
        table = listed(page)
        assert set(table) == told
        for name, labels in re.findall(r"^(\w+)\{([^}]*)\}", text, re.MULTILINE):
            known = table[max((each for each in table if name.startswith(each)), key=len)]
            assert set(re.findall(r'(\w+)="', labels)) - {"le"} <= known, name


@pytest.mark.parametrize(("page", "language"), [("operating.md", "en"), ("operating.ja.md", "ja")])
def test_what_ps_shows_is_what_the_page_shows(page: str, language: Language) -> None:
    text = (REPOSITORY / "docs-llm_api" / page).read_text(encoding="utf-8")
    _, _, shown = text.partition("$ hayate ps\n")
    engines = read_engines({"engines": [READY, SLEEPS, FAILED, ELSEWHERE]})
    lines = Report(language, 80, Paint()).lines(engines, {"fast": 123.44}, "http://127.0.0.1:8080", GPUS)
    assert shown.partition("```")[0] == "".join(f"{line}\n" for line in lines)


def test_every_field_of_ps_is_named() -> None:
    for page in ("operating.md", "operating.ja.md"):
        text = (REPOSITORY / "docs-llm_api" / page).read_text(encoding="utf-8")
        (row,) = re.findall(r"^\| `engines\[\]` \|(.*)$", text, re.MULTILINE)
        assert {*READY, "tokens_per_s"} <= set(re.findall(r"`(\w+)`", row))
