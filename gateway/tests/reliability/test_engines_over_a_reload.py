"""A changed file ends the engines whose `run` it changes, and no other: the one beside it keeps its process and its port."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.support.gateway import RunningGateway, reload, running_gateway
from tests.support.http import fetch
from tests.support.processes import alive
from tests.support.run_engine import COMMAND
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio


def config(*more: str, **limits: Any) -> str:
    """Two engines that are loaded at the start; `more` are arguments of the second, `limits` belong to the first."""
    run = {"command": [*COMMAND], "env": {"WHOSE": "${WHOSE:-nobody}"}, "stop_s": 5}
    a = {"backend": "vllm", "model": "m", "run": run, "gpu": "gpu0", "memory": "9GiB", **limits}
    b = {"backend": "vllm", "model": "m", "run": {"command": [*COMMAND, *more]}, "gpu": "gpu0", "memory": "9GiB"}
    return json.dumps(
        {"gpus": {"gpu0": {"memory": "24GiB"}}, "deployments": {"a": a, "b": b}, "preload": ["fast", "b"]}
    )


async def engines(gateway: RunningGateway) -> dict[str, dict[str, Any]]:
    admin = (gateway.data / "admin_key").read_text(encoding="ascii").strip()
    told = (await fetch(gateway.url, "/admin/engines", key=admin)).json["engines"]
    return {each["name"]: each for each in told}


async def loaded(gateway: RunningGateway, *, without: int | None = None) -> dict[str, int]:
    """The processes of both, once both are loaded, and the second is another than `without`."""
    found: dict[str, dict[str, Any]] = {}

    async def are() -> bool:
        found.update(await engines(gateway))
        return all(each["state"] == "ready" for each in found.values()) and found["b"]["pid"] != without

    await eventually(are)
    return {name: each["pid"] for name, each in found.items()}


async def test_what_is_run_as_before_stays_and_what_is_not_is_run_anew() -> None:
    async with running_gateway({"WHOSE": "ours {and theirs}"}, config=config()) as gateway:
        first = await loaded(gateway)
        await reload(gateway, config(max_queued=7, pin=True, load_timeout_s=60))
        assert await loaded(gateway) == first, "limits are no reason to end an engine"
        assert (await engines(gateway))["a"]["pin"] is True

        await reload(gateway, config("says=hello", max_queued=7))
        second = await loaded(gateway, without=first["b"])
        assert second["a"] == first["a"]
        await eventually(lambda: not alive(first["b"]))

        await reload(
            gateway, json.dumps({"deployments": {"c": {"backend": "vllm", "replicas": ["http://127.0.0.1:9"]}}})
        )
        await eventually(lambda: not alive(second["a"]) and not alive(second["b"]))


async def test_a_file_with_a_mistake_ends_nothing() -> None:
    async with running_gateway(config=config()) as gateway:
        first = await loaded(gateway)
        (gateway.data.parent / "config.yaml").write_text(config(memory="25GiB"), encoding="utf-8")
        gateway.process.send_signal(signal.SIGHUP)
        await eventually(lambda: "never fits on gpu0" in gateway.stderr())
        assert await loaded(gateway) == first
