"""`hayate up` where nobody reads what it says: it starts all the same, and so does its engine."""

from __future__ import annotations

import asyncio

import pytest

from hayate.tools.embedded.weights import tiny
from tests.support.gateway import running_gateway
from tests.support.http import fetch
from tests.support.outputs import STATES, unread
from tests.support.processes import children
from tests.support.quick import slow
from tests.unit.tools.embedded.engine import ANSWER, QUESTION

pytestmark = pytest.mark.anyio
QUICK_STATES = ("gone", "asleep")


@pytest.mark.parametrize("verb", ["up", *slow("up --show-engine")])
@pytest.mark.parametrize("state", [each if each in QUICK_STATES else slow(each)[0] for each in STATES])
async def test_it_starts_and_answers_with_nobody_at_standard_error(state: str, verb: str) -> None:
    with unread("stderr", state) as pipe:
        gateway = running_gateway(
            {"MODEL": str(tiny().path)}, verb=verb, through=pipe.through, streams={"stderr": pipe.fd}
        )
        async with gateway as running:
            await running.ready()
            (engine,) = children(running.pid)
            for _ in range(3):
                reply = await fetch(running.url, "/v1/chat/completions", QUESTION, key=running.key)
                assert reply.json["choices"][0]["message"]["content"] == ANSWER
            assert children(running.pid) == [engine]


async def test_the_engines_own_lines_are_shown_whole_among_ours() -> None:
    async with running_gateway({"MODEL": str(tiny().path)}, verb="up --show-engine") as gateway:
        await gateway.ready()
        await asyncio.gather(*(fetch(gateway.url, "/v1/chat/completions", QUESTION, key=gateway.key) for _ in range(4)))
        await gateway.stop()
        said = gateway.stderr()
        assert "listening on http://127.0.0.1:" in said
        assert f"Hayate is ready: {gateway.url}" in said.splitlines()
        assert not (gateway.data / "engine.log").exists()
