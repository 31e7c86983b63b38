"""What calls cost is the same wherever it is shown: the table, CSV and JSON of `hayate usage`, /v1/usage and /admin/usage."""

from __future__ import annotations

import csv
import io
import json
import os
from decimal import Decimal

import pytest

from hayate.settings import Price
from hayate.store.costs import Prices
from hayate.store.usage import Used
from hayate.tools.records.report import AddedUp, usage_table
from tests.support.engine_script import Chat
from tests.support.http import fetch
from tests.support.nursery import run
from tests.support.scene import PLAIN, Stage, scene
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

PRICES = {"scripted": {"input": 0.1, "cached_input": 0.01, "output": 0.7}, "fast": {"output": "1.000000000001"}}


async def hayate(stage: Stage, *words: str, language: str = "en") -> str:
    settings = {"PATH": os.environ["PATH"], "HAYATE_LANG": language, "XDG_RUNTIME_DIR": "/nowhere"}
    settings |= {
        "HAYATE_CONFIG": str(stage.gateway.data.parent / "config.yaml"),
        "HAYATE_DATA": str(stage.gateway.data),
    }
    done = run(["usage", *words], settings, stage.gateway.data.parent)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


async def test_it_is_the_same_everywhere() -> None:
    others: dict[str, dict[str, object]] = {"free": {}}
    async with scene(prices=PRICES, currency="USD", others=others, aliases={"fast": "scripted"}) as stage:
        stage.engine.script = Chat()
        used = [(await stage.post({**PLAIN, "model": name})).json["usage"] for name in ("scripted", "fast", "free")]
        inputs, outputs = [[each[f"{kind}_tokens"] for each in used] for kind in ("prompt", "completion")]
        expected = inputs[0] * Decimal("0.1") + outputs[0] * Decimal("0.7") + outputs[1] * Decimal("1.000000000001")

        async def kept() -> bool:
            found = (await stage.get("/v1/usage?by=project")).json["data"]
            return [each["calls"] for each in found] == [3]

        await eventually(kept)
        own = (await stage.get("/v1/usage?by=project")).json
        admin = (await fetch(stage.url, "/admin/usage?by=project", key=stage.operators_key)).json
        typed = json.loads(await hayate(stage, "--by", "project", "--json"))
        for answer in (own, admin, typed):
            assert answer["currency"] == "USD"
            (group,) = answer["data"]
            assert Decimal(group["cost"]) * 1_000_000 == expected
            assert group["unpriced_calls"] == 1
        by_model = (await stage.get("/v1/usage?by=model")).json["data"]
        assert {each["name"]: each["cost"] is None for each in by_model} == {
            "scripted": False, "fast": False, "free": True,
        }  # fmt: skip
        (row,) = csv.DictReader(io.StringIO(await hayate(stage, "--by", "project", "--csv")))
        assert (row["cost"], row["currency"]) == (own["data"][0]["cost"], "USD")
        said = await hayate(stage, "--by", "project", language="ja")
        assert "料金（USD）" in said
        assert "呼び出し1件は、料金に含まれていません" in said


def used(name: str, cost: str | None, unpriced: int = 0) -> Used:
    return Used(name, 1, 0, 1000, 10, 500, 0, None if cost is None else Decimal(cost), unpriced)


def test_the_table_has_a_column_and_its_sum() -> None:
    found = [used("game", "1234.56785"), used("bot", "0.00001"), used("old", None, 1)]
    _, *lines = usage_table(AddedUp("key", (0.0, 1.0), found, prices=Prices({"x": Price()}, "JPY")), "en", 120)
    assert [line.split("█")[0].split()[7:] for line in lines] == [
        ["cost", "(JPY)"], ["1,234.5678"], ["<0.0001"], ["-"], ["1,234.5679"],
    ]  # fmt: skip
    assert len({line.index("█") for line in lines if "█" in line}) == 1


def test_without_prices_there_is_none() -> None:
    assert "cost" not in usage_table(AddedUp("key", (0.0, 1.0), [used("game", None)]), "en", 80)[1]
