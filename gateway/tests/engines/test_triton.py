"""The real tritonserver of the suite: it starts, streams, and breaks off as TensorRT-LLM's ensemble does."""

from __future__ import annotations

import pytest

from tests.engines.launch import EngineProcess
from tests.support.http import fetch, fetch_frames

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.triton]

STREAM = "/v2/models/ensemble/generate_stream"


async def test_it_streams_characters_and_ends_without_a_word(triton: EngineProcess) -> None:
    frames = await fetch_frames(triton.url, STREAM, {"text_input": "hi", "max_tokens": 5, "stream": True})
    assert [frame.json["text_output"] for frame in frames] == list("吾が社の推")


async def test_it_answers_whole(triton: EngineProcess) -> None:
    reply = await fetch(triton.url, "/v2/models/ensemble/generate", {"text_input": "hi", "max_tokens": 5})
    assert reply.json["text_output"] == "吾が社の推"


async def test_its_errors_are_a_400_before_and_an_event_after_the_first_character(triton: EngineProcess) -> None:
    body = {"text_input": "ERR_BEFORE", "max_tokens": 5, "stream": True}
    reply = await fetch(triton.url, STREAM, body)
    assert reply.status == 400
    assert "exceeds maximum input length" in reply.text
    frames = await fetch_frames(triton.url, STREAM, {**body, "text_input": "ERR_MID"})
    assert [set(frame.json) & {"text_output", "error"} for frame in frames] == [{"text_output"}] * 3 + [{"error"}]
