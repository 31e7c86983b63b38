"""docs-llm_api/operating.md lists every metric that there is, in both languages, with its labels."""

from __future__ import annotations

import re

import pytest

from tests.guides.blocks import REPOSITORY
from tests.support.scene import PLAIN, scene

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
