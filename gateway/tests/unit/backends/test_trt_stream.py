"""trtllm-serve's streams: what they lack is added, and an end that is none is a failure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hayate.backends.trt_client import TrtLLMClient
from hayate.wire import sse
from hayate.wire.paths import TEXT
from tests.unit.backends.prepared import decoder

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}


def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, **({"finish_reason": reason} if reason else {})}
    return sse.render(json.dumps({"id": "chatcmpl-7", "object": "chat.completion.chunk", "choices": [choice]}).encode())


def choices(raw: bytes) -> list[Any]:
    found = [sse.data_of(frame) or b"" for frame in sse.frames(raw)]
    return [choice for data in found if data != b"[DONE]" for choice in json.loads(data)["choices"]]


def test_chunks_get_what_they_lack_and_lose_what_is_empty() -> None:
    stream = decoder(TrtLLMClient(), HELLO)
    raw = stream.feed(
        chunk({"role": "assistant"})
        + chunk({"content": "a", "reasoning_content": ""})
        + chunk({"content": "", "reasoning_content": "hm"})
    )
    assert [choice["finish_reason"] for choice in choices(raw)] == [None] * 3
    assert [choice["delta"] for choice in choices(raw)[1:]] == [
        {"content": "a"},
        {"content": "", "reasoning_content": "hm"},
    ]
    raw = stream.feed(chunk({"content": "b"}, "stop") + sse.DONE)
    assert (choices(raw)[0]["finish_reason"], stream.finish_reason, stream.finished) == ("stop", "stop", True)


def test_a_call_by_name_gets_an_id_once() -> None:
    stream = decoder(TrtLLMClient(), HELLO)
    calls = [[{"index": 0, "function": {"name": "f", "arguments": part}}] for part in ("{", "}")]
    raw = stream.feed(chunk({"role": "assistant"}) + b"".join(chunk({"tool_calls": each}) for each in calls))
    ids = [choice["delta"]["tool_calls"][0].get("id") for choice in choices(raw)[1:]]
    assert ids == ["call_7_0_0", None]
    theirs = chunk({"tool_calls": [{"index": 1, "id": "theirs", "function": {"name": "g", "arguments": ""}}]})
    assert choices(stream.feed(theirs))[0]["delta"]["tool_calls"][0]["id"] == "theirs"


@pytest.mark.parametrize("reason", ["timeout", "cancelled", "abort"])
def test_an_answer_that_was_given_up_is_a_failure(reason: str) -> None:
    stream = decoder(TrtLLMClient(), {"prompt": "a"}, TEXT)
    stream.feed(chunk({"content": "a"}) + chunk({"content": "b"}, reason))
    assert stream.failure is not None
