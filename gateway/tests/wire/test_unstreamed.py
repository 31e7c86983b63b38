"""A whole answer as its stream says the same, in every dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hayate.wire import sse
from hayate.wire.assemble import Assembler
from hayate.wire.messages import MessageAssembler
from hayate.wire.responses import ResponseAssembler
from hayate.wire.unstreamed import completion_events, no_events, relayed_events

CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CHAT = {
    "id": "x",
    "object": "chat.completion",
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hi", "tool_calls": [CALL]},
            "finish_reason": "tool_calls",
        },
        {"index": 1, "message": {"role": "assistant", "content": "Ho"}, "finish_reason": "stop"},
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2},
}
TEXT = {
    "id": "x",
    "object": "text_completion",
    "choices": [{"index": 0, "text": "Hi", "logprobs": {"tokens": ["Hi"]}, "finish_reason": "length"}],
}
MESSAGE: dict[str, Any] = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "content": [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1]}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2},
}


def joined(assembler: Any, raw: bytes) -> Any:
    for data in map(sse.data_of, sse.frames(raw)):
        if data and data != b"[DONE]":
            assembler.add(json.loads(data))
    return assembler.answer()


@pytest.mark.parametrize("whole", [CHAT, TEXT], ids=["chat", "text"])
def test_a_completion_comes_back_from_its_events(whole: dict[str, Any]) -> None:
    raw = completion_events(whole)
    assert raw.endswith(sse.DONE)
    assert joined(Assembler(chat=whole is CHAT), raw) == whole


def test_a_message_comes_back_from_its_events() -> None:
    assert joined(MessageAssembler(), relayed_events("/v1/messages", MESSAGE)) == MESSAGE


@pytest.mark.parametrize("status", ["completed", "incomplete", "failed", "cancelled", None])
def test_a_response_comes_back_from_its_last_event(status: str | None) -> None:
    whole: dict[str, Any] = {"id": "r", "status": status, "output": []}
    raw = relayed_events("/v1/responses", whole)
    assert joined(ResponseAssembler(), raw) == whole
    assert sse.event_of(raw).decode() == f"response.{status or 'completed'}"


def test_a_page_is_told_in_its_own_words() -> None:
    error = no_events(b"text/html; charset=utf-8", b"<html><title>Sign in</title>" + b"<b>" * 9999 + b"please")
    assert "HTML" in error.english
    assert "Sign in" in error.english
    assert len(error.english) < 400
