"""GET /admin/queue tells what every gate and ceiling knows, to the operator alone, while calls run and wait."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from hayate.api.queue import MAX_LANES, QueueAnswer, deployment_queue
from tests.support.engine_faults import silent_mid_stream
from tests.support.engine_script import Chat, silence
from tests.support.engine_script import until as go_on_after
from tests.support.http import fetch
from tests.support.scene import CHAT_PATH, PLAIN, STREAM, Stage, scene
from tests.support.waiting import NEVER_S, eventually
from tests.unit.telemetry.test_queue_metrics import comes, fleet

pytestmark = pytest.mark.anyio


async def told(stage: Stage) -> QueueAnswer:
    reply = await fetch(stage.url, "/admin/queue", key=stage.operators_key)
    assert reply.status == 200
    return QueueAnswer.model_validate_json(reply.body)


async def until(stage: Stage, holds: Callable[[QueueAnswer], object]) -> QueueAnswer:
    """What is told once it `holds`."""
    found: list[QueueAnswer] = []

    async def is_so() -> bool:
        found[:] = [await told(stage)]
        return bool(holds(found[0]))

    await eventually(is_so)
    return found[0]


def posted(stage: Stage, key: str, **headers: str) -> asyncio.Task[Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.create_task(fetch(stage.url, CHAT_PATH, PLAIN, key=key, headers=named))


async def test_who_has_the_place_and_who_waits_is_told_by_key() -> None:
    async with scene(max_in_flight=1) as stage:
        stage.engine.script = [silence]
        game = await stage.new_key(name="game", project="games", weight=5)
        running = [posted(stage, stage.key)]
        await until(stage, lambda answer: answer.deployments[0].in_flight == 1)
        running += [posted(stage, stage.key) for _ in range(2)]
        running += [posted(stage, game["key"]), posted(stage, game["key"], x_hayate_priority="low")]
        answer = await until(stage, lambda answer: answer.deployments[0].queued == 4)
        [scripted] = answer.deployments
        assert (scripted.name, scripted.engine, scripted.model) == ("scripted", "vllm", "scripted")
        assert (scripted.capacity, scripted.spare, scripted.in_flight, scripted.lane_count) == (1, 0, 1, 3)
        [ceiling] = scripted.ceilings
        assert (ceiling.replica, ceiling.places, ceiling.spare, ceiling.why) == ("scripted/0", 1, 0, "fixed")
        assert ceiling.in_flight == 1
        lanes = {(each.key, each.low): each for each in scripted.lanes}
        owner, own, low = lanes["main", False], lanes[game["id"], False], lanes[game["id"], True]
        assert (owner.project, owner.weight, owner.in_flight, owner.waiting) == ("default", 1, 1, 2)
        assert (own.project, own.weight, own.in_flight, own.waiting) == ("games", 5, 0, 1)
        assert (low.project, low.waiting) == ("games", 1)
        assert low.weight < own.weight
        assert owner.oldest_s > 0
        metrics = (await stage.get("/metrics")).text
        waiting = dict(
            re.findall(r'^hayate_queue_waiting\{deployment="scripted",lane="([^"]+)"\} (\S+)$', metrics, re.MULTILINE)
        )
        assert waiting == {"main": "2.0", game["id"]: "1.0", f"{game['id']}:low": "1.0"}
        for call in running:
            call.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await until(stage, lambda answer: answer.deployments[0].in_flight == answer.deployments[0].queued == 0)


async def test_how_long_calls_have_waited_and_stayed_is_told_when_they_are_over() -> None:
    async with scene(max_in_flight=1) as stage:
        [before] = (await told(stage)).deployments
        assert (before.service_s, before.lanes, before.output_tokens) == (None, [], 0)
        go_on = asyncio.Event()
        stage.engine.then(lambda request: [go_on_after(go_on), *Chat()(request)])
        calls = [posted(stage, stage.key) for _ in range(4)]
        await until(stage, lambda answer: answer.deployments[0].queued == 3)
        go_on.set()
        await asyncio.gather(*calls)
        [after] = (await told(stage)).deployments
        assert after.service_s is not None
        assert after.output_tokens == sum(call["completion_tokens"] for call in await stage.calls(4))
        [lane] = after.lanes
        assert (lane.in_flight, lane.waiting, lane.oldest_s) == (0, 0, 0)
        assert lane.wait_p50_s is not None
        assert lane.wait_p95_s is not None
        assert lane.wait_p95_s >= lane.wait_p50_s >= 0


async def test_a_stream_that_has_not_ended_counts_as_far_as_it_has_come() -> None:
    async with scene(timeouts={"silence_s": NEVER_S}) as stage:
        stage.engine.script = silent_mid_stream()
        async with stage.connect() as client:
            await client.send(stage.request(STREAM))
            answer = await until(stage, lambda answer: answer.deployments[0].output_tokens)
            [made] = {each.output_tokens for each in answer.deployments}
        ended = await stage.call()
        assert made == ended["completion_tokens"] > 0
        assert (await until(stage, lambda answer: answer.deployments[0].in_flight == 0)).deployments[
            0
        ].output_tokens == made


async def test_of_very_many_lanes_those_with_the_most_that_waits_are_listed() -> None:
    """Without a gateway: so many keys would take long to call."""
    tables = fleet("qwen")
    tables.deployments["qwen"].gate.resize(1, 2 * MAX_LANES, 0, 0.0)
    for number in range(MAX_LANES + 5):
        comes(tables, "qwen", f"k{number}", 1.0)
    comes(tables, "qwen", f"k{MAX_LANES + 3}", 1.0)
    answer = deployment_queue(tables.deployments["qwen"], 3.0, 7, lambda key: f"of {key}")
    assert (answer.lane_count, len(answer.lanes), answer.output_tokens) == (MAX_LANES + 5, MAX_LANES, 7)
    first = answer.lanes[0]
    assert (first.key, first.project, first.waiting, first.oldest_s) == ("k1003", "of k1003", 2, 2.0)
    assert (answer.in_flight, answer.queued) == (1, MAX_LANES + 5)
