"""A data folder and a file of v0.1 start unchanged: the keys in them go on working, and without limits unless the file has some."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hayate.config.load import examine, load_config
from tests.support.fake_engine import running_engine
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import Reply, fetch
from tests.support.scene import CHAT_PATH, PLAIN
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

OWNERS = "sk-hayate-" + "o" * 43
OPERATORS = "sk-hayate-admin-" + "a" * 43
EXAMPLE = Path(__file__).with_name("config-v0.1.yaml")
"""The example that v0.1 came with: every setting that it had, with its default."""
TODAYS = Path(__file__).parents[2] / "config.example.yaml"
FILE = """
# what somebody served with v0.1
data: kept
deployments:
  qwen:
    backend: vllm
    model: {model}
    replicas: [{url}]
aliases:
  fast: qwen
  default: qwen
limits:
{limits}
safety:
  max_n: 4
health:
  eject_after: 5
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """As v0.1 left it."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    for name, key in (("api_key", OWNERS), ("admin_key", OPERATORS)):
        (folder / name).write_text(key + "\n", encoding="ascii")
        (folder / name).chmod(0o600)
    return folder


async def ask(gateway: RunningGateway) -> Reply:
    return await fetch(gateway.url, CHAT_PATH, PLAIN, key=OWNERS)


def events(gateway: RunningGateway, name: str) -> list[dict[str, str]]:
    lines = [json.loads(line) for line in gateway.stderr().splitlines() if line.startswith("{")]
    return [each for each in lines if each["event"] == name]


def test_every_setting_of_v01_loads_and_means_what_it_meant() -> None:
    config, odd = examine(EXAMPLE, {})
    now = load_config(TODAYS, {})
    fixed: dict[str, Any] = {
        "max_in_flight": 4096,
        "max_queued": 512,
        "queue_timeout_s": 60.0,
    }  # the defaults of then, which the file names
    deployments = {name: replace(each, **fixed) for name, each in now.deployments.items()}
    assert config.model_copy(update={"data": now.data}) == now.model_copy(update={"deployments": deployments})
    assert [each.en for each in odd if "limits." in each.en] == []


async def test_the_owners_key_has_no_limits_where_the_file_gives_none(data: Path) -> None:
    async with running_engine() as engine:
        text = FILE.format(url=engine.url, model=engine.model, limits="  requests_per_minute: null\n  burst: null")
        variables = {"HAYATE_DATA": str(data), "HAYATE_API_KEY": ""}
        async with running_gateway(variables, config=text) as gateway:
            await gateway.ready()
            for _ in range(5):
                reply = await ask(gateway)
                assert reply.status == 200
                assert not [name for name in reply.headers if name.startswith("x-ratelimit")]
            admin = await fetch(gateway.url, "/admin/keys", key=OPERATORS)
            assert (admin.status, admin.json["data"]) == (200, [])
            await eventually(lambda: bool(events(gateway, "listening")))
            assert events(gateway, "setting_deprecated") == []
            assert events(gateway, "key_made") == []
    assert (data / "api_key").read_text(encoding="ascii") == OWNERS + "\n"
    assert (data / "admin_key").read_text(encoding="ascii") == OPERATORS + "\n"
    assert (data / "hayate.db").stat().st_mode & 0o777 == 0o600


async def test_the_files_limit_holds_for_it_and_its_burst_is_said_to_be_ignored(data: Path) -> None:
    async with running_engine() as engine:
        text = FILE.format(url=engine.url, model=engine.model, limits="  requests_per_minute: 2\n  burst: 5")
        variables = {"HAYATE_DATA": str(data), "HAYATE_API_KEY": ""}
        async with running_gateway(variables, config=text) as gateway:
            await gateway.ready()
            replies = [await ask(gateway) for _ in range(3)]
            assert [each.status for each in replies] == [200, 200, 429]
            assert [each.headers["x-ratelimit-remaining-requests"] for each in replies] == ["1", "0", "0"]
            await eventually(lambda: bool(events(gateway, "setting_deprecated")))
            (told,) = events(gateway, "setting_deprecated")
            assert told["setting"] == "limits.burst"
            assert "ignored" in told["why"]
