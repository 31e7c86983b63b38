"""GET /admin/log: what the gateway has said to who runs it, and nothing of callers."""

from __future__ import annotations

import json

import pytest

from hayate.api.recent_log import LogAnswer
from hayate.telemetry.recent_events import MAX_EVENTS
from tests.support.http import fetch
from tests.support.scene import PLAIN, Stage, scene
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio


async def told(stage: Stage, query: str = "") -> LogAnswer:
    reply = await fetch(stage.url, f"/admin/log{query}", key=stage.operators_key)
    assert reply.status == 200
    for each in (stage.key, stage.operators_key, "こんにちは"):
        assert each not in reply.text
    return LogAnswer.model_validate_json(reply.body)


async def test_it_has_what_standard_error_has_in_both_languages() -> None:
    async with scene() as stage:
        await stage.post(PLAIN)
        await fetch(stage.url, "/admin/reload", {}, key=stage.operators_key)
        found = (await told(stage)).data
        # Standard error is written by a thread.
        await eventually(lambda: stage.gateway.stderr().count("\n") >= len(found))
        assert [json.loads(each.line) for each in found] == [
            json.loads(line) for line in stage.gateway.stderr().splitlines()
        ]
        reloaded = found[-1]
        assert (reloaded.event, found[0].event) == ("reloaded", "listening")
        assert reloaded.text != reloaded.text_ja
        assert [each.at for each in found] == sorted(each.at for each in found)
        assert [each.event for each in (await told(stage, "?lines=1")).data] == ["reloaded"]


@pytest.mark.parametrize("lines", ["0", "x", str(MAX_EVENTS + 1)])
async def test_other_numbers_of_lines_are_refused(stage: Stage, lines: str) -> None:
    reply = await fetch(stage.url, f"/admin/log?lines={lines}", key=stage.operators_key)
    assert (reply.status, reply.json["error"]["param"]) == (400, "lines")
