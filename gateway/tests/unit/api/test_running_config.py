"""GET /admin/config: what holds in a gateway that runs, and what reloads have said; no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayate.api.running_config import ConfigAnswer, SettingAnswer
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import fetch

pytestmark = pytest.mark.anyio

FILE = """\
deployments:
  qwen:
    backend: vllm
    model: m
    replicas: [http://127.0.0.1:9]
    api_key: ${{ENGINE_KEY}}
    max_in_flight: {places}
limits: {{requests_per_minute: {rate}}}
health: {{eject_after: {eject_after}}}
"""
SECRET = "hush-engine-0123456789"


def written(places: object = 3, rate: int = 60, eject_after: int = 5) -> str:
    return FILE.format(places=places, rate=rate, eject_after=eject_after)


def operators_key(gateway: RunningGateway) -> str:
    return (gateway.data / "admin_key").read_text(encoding="ascii").strip()


async def told(gateway: RunningGateway) -> ConfigAnswer:
    reply = await fetch(gateway.url, "/admin/config", key=operators_key(gateway))
    assert reply.status == 200
    for each in (SECRET, gateway.key, operators_key(gateway)):
        assert each not in reply.text
    return ConfigAnswer.model_validate_json(reply.body)


async def reload(gateway: RunningGateway, text: str) -> int:
    (gateway.data.parent / "config.yaml").write_text(text, encoding="utf-8")
    return (await fetch(gateway.url, "/admin/reload", {}, key=operators_key(gateway))).status


def by_name(answer: ConfigAnswer) -> dict[str, SettingAnswer]:
    return {each.name: each for each in answer.settings}


async def test_it_tells_what_holds_and_what_the_last_reload_has_said() -> None:
    async with running_gateway({"ENGINE_KEY": SECRET}, config=written()) as gateway:
        before = await told(gateway)
        found = by_name(before)
        assert (before.last_reload, before.restart_needed) == (None, [])
        assert (found["deployments.qwen.max_in_flight"].value, found["deployments.qwen.max_in_flight"].line) == (3, 7)
        key = found["deployments.qwen.api_key"]
        assert (key.value, key.secret, key.source, key.variable) == (None, True, "file", "ENGINE_KEY")
        assert (found["server.port"].value, found["server.port"].source) == (gateway.port, "environment")
        assert Path(found["HAYATE_CONFIG"].value).name == "config.yaml"

        assert await reload(gateway, written(places="many")) == 400
        refused = await told(gateway)
        assert by_name(refused)["deployments.qwen.max_in_flight"].value == 3, "the old one still serves"
        assert refused.last_reload is not None
        assert refused.last_reload.applied is False
        assert refused.last_reload.refused is not None
        assert "max_in_flight" in refused.last_reload.refused.text
        assert "max_in_flight" in refused.last_reload.refused.text_ja
        log = await fetch(gateway.url, "/admin/log", key=operators_key(gateway))
        (said,) = [each for each in log.json["data"] if each["event"] == "reload_refused"]
        assert refused.last_reload.refused.text in said["text"]
        assert refused.last_reload.refused.text_ja in said["text_ja"]

        assert await reload(gateway, written(places=4, rate=30, eject_after=6)) == 200
        assert await reload(gateway, written(places=5, rate=30, eject_after=6)) == 200
        after = await told(gateway)
        assert by_name(after)["deployments.qwen.max_in_flight"].value == 5
        assert by_name(after)["limits.requests_per_minute"].value == 30
        assert after.last_reload is not None
        assert (after.last_reload.applied, after.last_reload.refused, after.last_reload.restart_needed) == (
            True,
            None,
            ["health"],
        )
        assert after.restart_needed == ["health"], "what waits for a restart still does"

        assert await reload(gateway, written(places=5, rate=30)) == 200
        back = await told(gateway)
        assert back.last_reload is not None
        assert (back.last_reload.restart_needed, back.restart_needed) == ([], []), "as it was when it started"
