"""A whole answer as its stream says the same, in every dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hayate.errors import GatewayError
from hayate.upstream_errors import UpstreamRedirected
from hayate.wire import sse
from hayate.wire.assemble import Assembler
from hayate.wire.messages import MessageAssembler
from hayate.wire.replies import (
    as_events,
    begins_document,
    checked,
    completion_events,
    message_events,
    no_events,
    redirected,
    response_events,
)
from hayate.wire.responses import ResponseAssembler
from tests.support.tables import table

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
    assert raw is not None
    assert raw.endswith(sse.DONE)
    assert joined(Assembler(chat=whole is CHAT), raw) == whole


def test_a_message_comes_back_from_its_events() -> None:
    raw = message_events(MESSAGE)
    assert raw is not None
    assert joined(MessageAssembler(), raw) == MESSAGE


@table("status", ["completed", "incomplete", "failed", "cancelled", None])
def test_a_response_comes_back_from_its_last_event(status: str | None) -> None:
    whole: dict[str, Any] = {"id": "r", "object": "response", "status": status, "output": []}
    raw = response_events(whole)
    assert raw is not None
    assert joined(ResponseAssembler(), raw) == whole
    assert sse.event_of(raw).decode() == f"response.{status or 'completed'}"


def test_a_page_is_told_in_its_own_words() -> None:
    error = no_events(b"<html><style>b{}</style><title>Sign in</title>" + b"<b>" * 9999 + b"please")
    assert "Sign in" in error.english
    assert "b{}" not in error.english
    assert len(error.english) < 400


@table("raw", [b"", b" \r\n", b"<p>x</p>", b"[1]", b"7", b"{broken", b'{"choices":null}', b'{"ok":true}'])
def test_what_is_no_answer_is_an_error(raw: bytes) -> None:
    with pytest.raises(GatewayError):
        as_events(raw, completion_events)


@table(
    ("raw", "words", "status"),
    [
        (b'{"error":{"message":"quota","code":429}}', "quota", 429),
        (b'{"error":"asleep"}', "asleep", 502),
        (b'{"detail":"nothing here"}', "nothing here", 502),
        (b'{"code":1002,"msg":"token expired"}', "token expired", 502),
        (b'{"choices":[],"error":{"message":"late"}}', "late", 502),
    ],
)
def test_an_error_in_place_of_events_keeps_its_words(raw: bytes, words: str, status: int) -> None:
    with pytest.raises(GatewayError) as told:
        as_events(raw, completion_events)
    assert words in told.value.english
    assert told.value.status == status


def test_a_welcome_document_stays_as_it_came() -> None:
    raw = b' {"object":"response"} '
    assert checked(raw) is raw
    with pytest.raises(GatewayError, match="x"):
        checked(b'{"error":"x"}')


@table(
    ("location", "shown"),
    [
        (b"https://elsewhere.example/v1?state=secret#x", "https://elsewhere.example/v1"),
        (b"https://user:secret@elsewhere.example:8443/", "https://elsewhere.example:8443/"),
        (b"/login?next=secret", "/login"),
        (b"http://[broken", None),
        (b"/\x1b[31m", None),
        (b"", None),
        (None, None),
    ],
)
def test_a_redirect_says_where_to_without_what_may_be_secret(location: bytes | None, shown: str | None) -> None:
    error = redirected(307, location)
    assert isinstance(error, UpstreamRedirected)
    assert error.location == shown
    assert "secret" not in error.english + error.japanese


@table(
    ("start", "document"),
    [
        (b'{"a"', True),
        (b" [", True),
        (b"<!doc", True),
        (b"", True),
        (b"data: {", False),
        (b": ping", False),
        (b"event: x", False),
        (b"\xef\xbb\xbfdata:", False),
    ],
)
def test_a_document_is_known_by_its_first_byte(start: bytes, document: bool) -> None:
    assert begins_document(start) is document
