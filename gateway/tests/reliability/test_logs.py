"""RELIABILITY: logs. One JSON object per call, no prompt, no forged lines, control characters escaped; ids that can be trusted."""

from __future__ import annotations

import json

import pytest

from tests.support.scene import HELLO, PLAIN, STREAM, Stage

pytestmark = pytest.mark.anyio

NASTY = 'x\n{"event":"call","status":200}\r\n\x1b[31mred\x00\x7f\u2028'


async def test_a_call_is_one_line_with_its_facts(stage: Stage) -> None:
    await stage.frames(STREAM)
    call = await stage.call()

    assert call["event"] == "call"
    assert (call["endpoint"], call["status"], call["stream"], call["finish_reason"]) == ("chat", 200, True, "stop")
    assert call["completion_tokens"] > 0
    assert call["tokens_exact"] is True
    assert call["total_ms"] >= call["ttft_ms"] >= 0


async def test_no_prompt_and_no_answer_is_logged(stage: Stage) -> None:
    await stage.post({"messages": [{"role": "user", "content": "a secret wish"}]})
    await stage.call()

    assert "a secret wish" not in stage.gateway.stdout() + stage.gateway.stderr()


@pytest.mark.parametrize("field", ["model", "user", "metadata"])
async def test_what_a_caller_sends_forges_no_line_and_no_colour(stage: Stage, field: str) -> None:
    before = len(stage.gateway.stdout().splitlines())
    await stage.post({**PLAIN, field: NASTY})
    await stage.call()

    lines = stage.gateway.stdout().splitlines()[before:]
    assert len(lines) == 1
    assert json.loads(lines[0])["event"] == "call"
    assert not any(ord(letter) < 32 or ord(letter) == 127 for letter in lines[0])
    assert "\x1b" not in stage.gateway.stderr()


async def test_labels_hold_nothing_a_caller_chose(stage: Stage) -> None:
    await stage.post({"messages": HELLO, "model": "made-up-name"})
    await stage.get("/made-up-path")

    exposed = (await stage.get("/metrics")).text
    assert "made-up" not in exposed
