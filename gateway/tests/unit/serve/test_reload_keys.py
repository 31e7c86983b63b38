"""What a reload changes of limits, prices, the record and keys is in force at once; what only a restart changes is named."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.http import Reply, fetch
from tests.support.scene import PLAIN, Stage, scene, settings
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio


async def reload(stage: Stage, **sections: Any) -> dict[str, Any]:
    text = settings(stage.engine.url, **sections)
    (stage.gateway.data.parent / "config.yaml").write_text(text, encoding="utf-8")
    reply = await admin(stage, "/admin/reload", {})
    assert reply.status == 200, reply.body
    return dict(reply.json)


async def admin(stage: Stage, path: str, body: object = None) -> Reply:
    return await fetch(stage.url, path, body, key=stage.operators_key)


def events(stage: Stage, name: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in stage.gateway.stderr().splitlines() if line.startswith("{")]
    return [each for each in lines if each["event"] == name]


async def test_limits_prices_and_the_record_are_those_of_the_new_file() -> None:
    async with scene() as stage:
        assert "x-ratelimit-limit-requests" not in (await stage.post(PLAIN)).headers
        assert (await stage.get("/v1/usage")).json["currency"] is None

        done = await reload(
            stage, limits={"requests_per_minute": 2, "burst": 9}, currency="JPY", prices={"scripted": {}}
        )
        assert done["restart_needed"] == []
        first, second, third = [await stage.post(PLAIN) for _ in range(3)]
        assert (first.status, first.headers["x-ratelimit-limit-requests"]) == (200, "2")
        assert (second.status, third.status) == (200, 429)
        assert (await stage.get("/v1/usage")).json["currency"] == "JPY"
        await eventually(lambda: len(events(stage, "setting_deprecated")) == 1)
        assert events(stage, "content_is_kept") == []

        await reload(
            stage, limits={"models": {"scripted": {"concurrency": 1}}}, record={"content": {"main": {"days": 1}}}
        )
        assert (await stage.post(PLAIN)).status == 200
        await eventually(lambda: len(events(stage, "content_is_kept")) == 1)
        (told,) = events(stage, "content_is_kept")
        assert told["keys"] == ["main"]

        async def is_kept() -> bool:
            return [each["content"] for each in (await admin(stage, "/admin/calls?limit=1")).json["data"]] == [True]

        await eventually(is_kept)


async def test_another_file_takes_a_restart() -> None:
    async with scene() as stage:
        done = await reload(stage, store={"file": "other.db", "calls_days": 7}, keys={"stale_s": 5})
        assert done["restart_needed"] == ["store.file"]
        assert not (stage.gateway.data / "other.db").exists()
