"""An engine that can't be loaded is told to the operator with its cause and the next step, to the caller as 503 with a time that
is true; and the other model keeps answering.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.engines.launch import TINY_GGUF
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.http import Reply, fetch
from tests.support.nursery import run
from tests.support.processes import engines_of
from tests.support.run_engine import ANSWER, COMMAND
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

ADMIN_KEY = "sk-hayate-admin-0123456789abcdef"
SERVER = Path(__file__).parents[1] / "engines/llamacpp_server.py"
SHORT_S = 1.0
"""What an engine has for its start that never ends it."""
LIMITED_KIB = 1_500_000
"""Of address space: a start of llama.cpp's server takes a third of it, its cache for the context below alone more than all."""
HUGE_CONTEXT = 4_000_000


def deployment(*command: object, **more: Any) -> dict[str, Any]:
    run = {"command": [str(part) for part in command], "stop_s": 5}
    return {"backend": "openai", "model": "m", "run": run, "gpu": "gpu0", "memory": "1GiB", **more}


FAILING: Mapping[str, dict[str, Any]] = {
    "memory": deployment(
        "sh",
        "-c",
        f'ulimit -v {LIMITED_KIB}; exec "$@"',
        "sh",
        sys.executable,
        SERVER,
        TINY_GGUF,
        "{port}",
        HUGE_CONTEXT,
        1,
    ),
    "loop": deployment(*COMMAND, "lives=0.2"),
    "hanging": deployment(*COMMAND, "says=Reading the weights", "hangs", load_timeout_s=SHORT_S),
    "missing": deployment("no-such-engine", "{port}"),
}


@asynccontextmanager
async def gateway(name: str, gpu_memory: str = "4GiB") -> AsyncIterator[RunningGateway]:
    """`good` is loaded; the one of this name will fail."""
    config = {
        "gpus": {"gpu0": {"memory": gpu_memory, "quantum_s": 0.1}},
        "deployments": {"good": deployment(*COMMAND), name: FAILING[name]},
        "preload": ["good"],
    }
    async with running_gateway({"HAYATE_ADMIN_KEY": ADMIN_KEY}, config=json.dumps(config)) as running:
        await eventually(lambda: state(running, "good", "ready"))
        yield running


async def call(running: RunningGateway, model: str, language: str = "en") -> Reply:
    question = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"accept-language": language}
    return await fetch(running.url, "/v1/chat/completions", question, key=running.key, headers=headers)


async def engine(running: RunningGateway, name: str) -> dict[str, Any]:
    """What the operator is told of it."""
    reply = await fetch(running.url, "/admin/engines", key=ADMIN_KEY)
    assert reply.status == 200, reply.text
    return next(each for each in reply.json["engines"] if each["name"] == name)


async def state(running: RunningGateway, name: str, wanted: str) -> bool:
    return bool((await engine(running, name))["state"] == wanted)


def events(running: RunningGateway, name: str, event: str) -> list[dict[str, Any]]:
    lines = running.stderr().splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [each for each in found if each["event"] == event and each.get("engine") == name]


@asynccontextmanager
async def asked_all_the_time(running: RunningGateway, model: str) -> AsyncIterator[list[Reply]]:
    """Somebody who goes on asking; no question may be lost."""
    replies: list[Reply] = []
    over = asyncio.Event()

    async def ask() -> None:
        while not over.is_set():
            replies.append(await call(running, model))
            await asyncio.sleep(0.02)

    asking = asyncio.create_task(ask())
    try:
        yield replies
        seen = len(replies)
        await eventually(lambda: len(replies) > seen)  # it is answered in the end too
    finally:
        over.set()
        await asking
    assert [reply.status for reply in replies] == [200] * len(replies)
    assert all(reply.json["choices"][0]["message"]["content"] == ANSWER for reply in replies)


@pytest.mark.parametrize(
    ("name", "code", "told", "to_callers", "to_callers_ja"),
    [
        ("memory", "out_of_memory", "its engine ran out of memory", "its engine is out of memory", "メモリー"),
        ("missing", "command_missing", "its command no-such-engine is not there", "can't be started", "起動できません"),
        (
            "hanging",
            "start_timeout",
            "did not answer within 1 s of its start",
            "its engine did not start in time",
            "時間内に起動しませんでした",
        ),
    ],
)
async def test_one_that_can_not_be_loaded_is_told_to_both_while_the_other_model_answers(
    name: str, code: str, told: str, to_callers: str, to_callers_ja: str
) -> None:
    async with gateway(name) as running, asked_all_the_time(running, "good"):
        refused = await call(running, name)
        assert int(refused.headers["retry-after"]) >= 1
        assert (refused.status, refused.json["error"]["type"]) == (503, "overloaded")
        assert to_callers in refused.json["error"]["message"]
        assert "no-such-engine" not in refused.text, "what is run is nothing to callers"

        seen = await engine(running, name)
        assert (seen["state"], seen["why"], seen["pid"]) == ("failed", "load_failed", None)
        assert told in seen["last_error"]["text"]
        assert seen["last_error"]["text"].startswith(f"{name}: ")
        assert "Log: " in seen["last_error"]["text"]
        assert seen["last_error"]["text_ja"] != seen["last_error"]["text"]
        await eventually(lambda: events(running, name, "engine_failed"))
        failed = events(running, name, "engine_failed")[0]
        assert failed["code"] == code
        assert told in str(failed["reason"])

        # Whoever comes back when he was told to is a new try, which is told anew.
        again = await call(running, name, "ja")
        assert again.status == 503
        assert to_callers_ja in again.json["error"]["message"]
        await asyncio.sleep(float(again.headers["retry-after"]))
        tries = len(events(running, name, "engine_failed"))
        assert (await call(running, name)).status == 503
        await eventually(lambda: len(events(running, name, "engine_failed")) > tries)
        assert not [pid for pid in engines_of(running.pid) if pid != (await engine(running, "good"))["pid"]]


async def test_one_that_crashes_again_and_again_is_started_less_and_less_often_and_its_callers_are_told_when() -> None:
    async with gateway("loop") as running, asked_all_the_time(running, "good"):
        refused: list[Reply] = []
        while len(events(running, "loop", "engine_failed")) < 4:
            reply = await call(running, "loop")
            assert reply.status in (200, 502, 503)  # it is there for moments
            refused += [reply] * ("retry-after" in reply.headers)
            await asyncio.sleep(0.05)
        failed, loading = (events(running, "loop", f"engine_{each}") for each in ("failed", "loading"))
        pauses_s = [_s(after) - _s(before) for before, after in zip(failed, loading[1:], strict=False)]
        assert pauses_s[1] > 1.9
        assert pauses_s[2] > 3.9
        assert max(int(reply.headers["retry-after"]) for reply in refused) >= 4
        # It died as soon as it was ready, or on a busy machine before that was seen.
        assert {each["code"] for each in failed} <= {"crashed", "ended_early"}
        told = "its engine is being started again", "its engine could not be started", "its engine broke off"
        assert all(any(each in reply.json["error"]["message"] for each in told) for reply in refused)
        assert "(SIGSEGV)" in (await engine(running, "loop"))["last_error"]["text"]


def _s(event: dict[str, Any]) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


async def test_the_model_that_gave_way_comes_back_when_the_new_one_can_not_start() -> None:
    async with gateway("missing", "1GiB") as running:
        assert (await call(running, "missing")).status == 503
        await eventually(lambda: state(running, "good", "ready"))
        assert [each["why"] for each in events(running, "good", "engine_unloaded")] == ["gave_way"]
        assert (await call(running, "good")).status == 200


async def test_ps_and_logs_show_it_to_the_operator(tmp_path: Path) -> None:
    async with gateway("memory") as running:
        await call(running, "memory")
        env = {
            "HAYATE_ADMIN_KEY": ADMIN_KEY,
            "HAYATE_API_KEY": running.key,
            "HAYATE_PORT": str(running.port),
            "LANG": "C",
            "XDG_RUNTIME_DIR": str(tmp_path),
        }
        told = await asyncio.to_thread(run, ["ps"], env=env, folder=tmp_path)
        assert told.returncode == 1, told.stderr
        assert "out of memory" in told.stdout
        written = await asyncio.to_thread(run, ["logs", "memory"], env=env, folder=tmp_path)
        assert "failed to allocate" in written.stdout
