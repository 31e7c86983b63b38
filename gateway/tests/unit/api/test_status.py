"""The operator's view of the whole gateway."""

from __future__ import annotations

import pytest

from hayate import __version__
from hayate.api.status import StatusAnswer
from tests.support.http import fetch
from tests.support.scene import Stage

pytestmark = pytest.mark.anyio


async def test_the_gateway_its_aliases_and_its_deployments_are_told(stage: Stage) -> None:
    reply = await fetch(stage.url, "/admin/status", key=stage.operators_key)
    assert reply.status == 200
    told = StatusAnswer.model_validate_json(reply.body)
    assert told.version == __version__
    assert told.uptime_s > 0
    assert told.ready
    assert told.aliases["default"] == ["scripted"]
    assert [each.name for each in told.deployments] == ["scripted", "llama", "smaller"]
    same = (await fetch(stage.url, "/admin/deployments", key=stage.operators_key)).json
    assert [each.keys() for each in reply.json["deployments"]] == [each.keys() for each in same]


async def test_it_is_the_operators_alone(stage: Stage) -> None:
    for key in (None, stage.key):
        assert (await fetch(stage.url, "/admin/status", key=key)).status == 401
