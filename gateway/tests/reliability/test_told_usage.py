"""Whatever an engine says that it has used, nothing that counts goes down or out of bounds, and no call breaks: on every path,
streamed and whole, wherever in an answer it says so, and however often.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from hayate.wire.paths import CHAT, MESSAGES, RESPONSES, TEXT
from hayate.wire.usage import MAX_TOKENS
from tests.support.engine_script import DONE, Request, Script, answer, frame, silence, sse
from tests.support.http import fetch
from tests.support.scene import HELLO, Stage

pytestmark = pytest.mark.anyio

SAID = ("こん", "にちは", "。")
NO_COUNTS: list[Any] = [-1, -(10**9), 10**9 + 1, 2**63, 10**30, 1e300, 7.5, "7", "", None, True, [7], {"a": 1}]
NO_USAGES: list[Any] = [None, 7, -7, "7", [], [7], True, {}, {"total_tokens": -5}]
RIGHT = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
ASKED = {"messages": HELLO, "prompt": "こんにちは", "input": "こんにちは", "max_tokens": 50}
PATHS = (CHAT, TEXT, RESPONSES, MESSAGES)
Usages = tuple[Any, Any, Any]
"""What is said at the start of an answer, in its middle, and at its end; `LEFT_OUT` where nothing is."""
LEFT_OUT = object()


def of_dialect(path: str, prompt: Any, completion: Any) -> dict[str, Any]:
    names = ("prompt_tokens", "completion_tokens") if path in (CHAT, TEXT) else ("input_tokens", "output_tokens")
    return dict(zip(names, (prompt, completion), strict=True))


def odd_usages(path: str) -> list[Any]:
    counts = [of_dialect(path, odd, good) for odd in NO_COUNTS for good in (4, odd)]
    cached = [
        {**of_dialect(path, 9, 4), name: odd if name[-1] == "s" and "details" not in name else {"cached_tokens": odd}}
        for odd in NO_COUNTS
        for name in ("prompt_tokens_details", "input_tokens_details", "cache_read_input_tokens")
    ]
    return [*NO_USAGES, *counts, *cached]


def with_usage(event: dict[str, Any], usage: Any) -> dict[str, Any]:
    return event if usage is LEFT_OUT else {**event, "usage": usage}


def completion(path: str, usages: Usages) -> list[bytes]:
    def chunk(said: str, reason: str | None = None) -> dict[str, Any]:
        part = {"delta": {"content": said}} if path == CHAT else {"text": said}
        return {"id": "c", "object": "x", "choices": [{"index": 0, **part, "finish_reason": reason}]}

    first, middle, last = usages
    events = [with_usage(chunk(SAID[0]), first), with_usage(chunk(SAID[1]), middle), chunk(SAID[2]), chunk("", "stop")]
    return [
        *map(frame, events),
        *([] if last is LEFT_OUT else [frame({"id": "c", "choices": [], "usage": last})]),
        DONE,
    ]


def message(_: str, usages: Usages) -> list[bytes]:
    first, middle, last = usages
    start = with_usage({"id": "m", "type": "message", "role": "assistant", "content": []}, first)
    deltas: list[dict[str, Any]] = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": said}} for said in SAID
    ]
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *deltas[:2],
        with_usage({"type": "ping"}, middle),
        deltas[2],
        {"type": "content_block_stop", "index": 0},
        with_usage({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, last),
        {"type": "message_stop"},
    ]
    return [frame(each, event=each["type"]) for each in events]


def response(_: str, usages: Usages) -> list[bytes]:
    first, middle, last = usages
    whole = {"id": "r", "object": "response", "status": "completed", "output": [{"text": "".join(SAID)}]}
    deltas: list[dict[str, Any]] = [
        {"type": "response.output_text.delta", "item_id": "i", "delta": said} for said in SAID
    ]
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": with_usage({"id": "r", "object": "response"}, first)},
        *deltas[:2],
        with_usage({"type": "response.in_progress"}, middle),
        deltas[2],
        {"type": "response.completed", "response": with_usage(whole, last)},
    ]
    return [frame(each, event=each["type"]) for each in events]


STREAMS: dict[str, Callable[[str, Usages], list[bytes]]] = {
    CHAT: completion,
    TEXT: completion,
    RESPONSES: response,
    MESSAGES: message,
}


def whole(path: str, usage: Any) -> dict[str, Any]:
    said = "".join(SAID)
    parts: dict[str, dict[str, Any]] = {
        CHAT: {"choices": [{"index": 0, "message": {"content": said}, "finish_reason": "stop"}]},
        TEXT: {"choices": [{"index": 0, "text": said, "finish_reason": "stop"}]},
        RESPONSES: {"object": "response", "output": [{"text": said}]},
        MESSAGES: {"type": "message", "content": [{"type": "text", "text": said}]},
    }
    return with_usage({"id": "a", **parts[path]}, usage)


def telling(path: str, usages: Usages) -> Callable[[Request], Script]:
    def script(request: Request) -> Script:
        return sse(STREAMS[path](path, usages)) if request.asks_for_stream else answer(whole(path, usages[2]))

    return script


async def counters(stage: Stage) -> dict[str, float]:
    metrics = await stage.metrics()
    return {name: value for name, value in metrics.items() if name.endswith("_total") and "tokens" in name}


async def asked(stage: Stage, path: str, model: str, stream: bool, *each: Usages) -> list[dict[str, Any]]:
    """Calls to their ends, right in all but their counts: the log lines of them."""
    for usages in each:
        stage.engine.script = telling(path, usages)
        reply = await stage.post({**ASKED, "model": model, "stream": stream}, path)
        assert reply.status == 200, reply.text
        assert all(said in reply.text for said in (SAID if stream else ["".join(SAID)])), reply.text
        assert "server_error" not in reply.text
    calls = await stage.calls(len(each))
    for call in calls:
        assert (call["status"], call["error"]) == (200, None)
        for name in ("prompt_tokens", "completion_tokens", "cached_tokens"):
            assert type(call[name]) is int
            assert 0 <= call[name] <= MAX_TOKENS
        assert call["cached_tokens"] <= call["prompt_tokens"]
    return calls


@pytest.mark.parametrize("model", ["scripted", "llama"])
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("path", PATHS)
async def test_what_is_no_count_lowers_nothing_and_breaks_nothing(
    stage: Stage, path: str, model: str, stream: bool
) -> None:
    before = await counters(stage)
    assert before or path == CHAT
    places = [(0,), (1,), (2,), (0, 1, 2)] if stream else [(2,)]
    said = [
        (usage if 0 in at else LEFT_OUT, usage if 1 in at else LEFT_OUT, usage if 2 in at else LEFT_OUT)
        for usage, at in zip(odd_usages(path), itertools.cycle(places), strict=False)
    ]
    await asked(stage, path, model, stream, *said)
    after = await counters(stage)
    assert {name: after[name] >= value for name, value in before.items()} == dict.fromkeys(before, True)
    key = stage.operators_key
    used = await fetch(stage.url, "/admin/usage?by=model&since=1h", key=key)
    assert used.status == 200, used.text


@pytest.mark.parametrize("path", PATHS)
async def test_the_last_word_counts_however_often_it_is_said(stage: Stage, path: str) -> None:
    first, last = of_dialect(path, 9, 1), of_dialect(path, 9, 4)
    for usages in [(first, first, last), (last, LEFT_OUT, last), (LEFT_OUT, first, last)]:
        [call] = await asked(stage, path, "scripted", True, usages)
        assert (call["prompt_tokens"], call["completion_tokens"], call["tokens_exact"]) == (9, 4, True)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("model", ["scripted", "llama"])
async def test_where_nothing_is_told_it_is_estimated_and_marked(stage: Stage, path: str, model: str) -> None:
    [call] = await asked(stage, path, model, True, (LEFT_OUT, LEFT_OUT, LEFT_OUT))
    assert (call["completion_tokens"], call["tokens_exact"]) == (len(SAID), False)
    assert 0 < call["prompt_tokens"] < 500


@pytest.mark.parametrize("path", [CHAT, TEXT])
async def test_a_whole_answer_that_nobody_counted_is_estimated_by_its_text(stage: Stage, path: str) -> None:
    [call] = await asked(stage, path, "scripted", False, (LEFT_OUT, LEFT_OUT, LEFT_OUT))
    assert (call["completion_tokens"], call["tokens_exact"]) == (len("".join(SAID)) + 1, False)
    assert 0 < call["prompt_tokens"] < 500


@pytest.mark.parametrize("path", PATHS)
async def test_an_answer_that_is_left_counts_its_prompt_and_what_came(stage: Stage, path: str) -> None:
    """Whatever has been told of it meanwhile: what a message says at its start is no count of its answer."""
    frames = STREAMS[path](path, (of_dialect(path, 336, 0), LEFT_OUT, LEFT_OUT))
    stage.engine.script = sse(
        frames[: next(n for n, each in enumerate(frames) if SAID[2].encode() in each) + 1], last=[silence]
    )
    async with stage.connect() as client:
        await client.send(stage.request({**ASKED, "stream": True}, path))
        assert (await client.read_head()).status == 200
        async for each in client.frames():
            if SAID[2] in each.data:
                break
        client.leave()
        call = await stage.call()
    assert (call["status"], call["completion_tokens"], call["tokens_exact"]) == (499, len(SAID), False)
    assert call["prompt_tokens"] == 336
