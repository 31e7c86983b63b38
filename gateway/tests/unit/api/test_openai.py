"""POST /v1/chat/completions and /v1/completions: what the engine says, byte for byte, streamed, whole, or put together."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.support.engine_script import SSE, Chat, Request, Step, body, echo, end, frame, head
from tests.support.http import Frame
from tests.support.scene import CHAT_PATH, PLAIN, STREAM, Stage

pytestmark = pytest.mark.anyio

ASKS_FOR_USAGE = {**STREAM, "stream_options": {"include_usage": True}}


def texts(frames: list[Frame]) -> str:
    choices = [each.json["choices"] for each in frames if each.data != "[DONE]"]
    return "".join((each[0].get("delta") or {}).get("content") or each[0].get("text") or "" for each in choices if each)


def engine_frames(stage: Stage, script: Chat) -> list[bytes]:
    return script.frames(Request(path=stage.engine.requests[-1].path, body=stage.engine.requests[-1].body))


async def test_a_stream_is_the_engines_byte_for_byte(stage: Stage) -> None:
    script = Chat(["こん", "にちは", "😀", '"quoted"\n'], fields={"a_field_of_tomorrow": [1, {"x": None}]})
    stage.engine.script = script
    frames = await stage.frames(ASKS_FOR_USAGE)
    assert b"".join(each.raw for each in frames) == b"".join(engine_frames(stage, script))


async def test_usage_is_in_the_stream_only_for_who_asked(stage: Stage) -> None:
    asked, unasked = await stage.frames(ASKS_FOR_USAGE), await stage.frames(STREAM)
    assert [bool(each.json.get("usage")) for each in asked[:-1]] == [False] * 5 + [True]
    assert not any("usage" in each.data for each in unasked)
    for call in await stage.calls(2):
        assert (call["prompt_tokens"], call["completion_tokens"], call["tokens_exact"]) == (7, 3, True)


async def test_the_head_of_a_stream_is_what_proxies_and_browsers_need(stage: Stage) -> None:
    async with stage.connect() as client:
        await client.send(stage.request(STREAM))
        headers = (await client.read_head()).headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache"
    assert headers["x-accel-buffering"] == "no"
    assert headers["x-request-id"]


async def test_a_whole_answer_is_the_engines_byte_for_byte(stage: Stage) -> None:
    stage.engine.script = Chat(fields={"a_field_of_tomorrow": {"x": [None]}, "service_tier": None})
    reply = await stage.post(PLAIN)
    assert reply.headers["content-type"] == "application/json"
    assert reply.json["a_field_of_tomorrow"] == {"x": [None]}
    assert reply.json["choices"][0]["message"]["content"] == Chat().text


async def test_unknown_fields_reach_the_engine_untouched(stage: Stage) -> None:
    fields = {
        **PLAIN,
        "temperature": 0.25,
        "a_field_of_tomorrow": {"deep": [1, 2.5, None, "日本語"]},
        "logit_bias": {"5": -1},
    }
    stage.engine.script = echo
    reply = await stage.post({**fields, "model": "default"})
    seen = json.loads(reply.json["choices"][0]["message"]["content"])
    assert seen == {**fields, "model": "scripted"}


async def test_the_engine_is_asked_for_usage_and_by_its_own_models_name(stage: Stage) -> None:
    await stage.frames({**STREAM, "model": "default"})
    seen = stage.engine.requests[0].json
    assert seen["stream_options"] == {"include_usage": True}
    assert seen["model"] == "scripted"
    await stage.frames({**STREAM, "stream_options": {"include_usage": False, "continuous": 1}})
    assert stage.engine.requests[1].json["stream_options"] == {"include_usage": True, "continuous": 1}


@pytest.mark.parametrize("model", [None, "default", "scripted", "smaller"])
async def test_a_model_may_be_missing_an_alias_or_a_deployment(stage: Stage, model: str | None) -> None:
    assert (await stage.post({**PLAIN, "model": model} if model else PLAIN)).status == 200


async def test_an_unknown_model_is_told_what_there_is(stage: Stage) -> None:
    reply = await stage.post({**PLAIN, "model": "gpt-5"})
    error = reply.json["error"]
    assert (reply.status, error["code"], error["param"]) == (404, "model_not_found", "model")
    assert "default" in error["message"]


@pytest.mark.parametrize("asked", [{"prompt": "Hello"}, {"prompt": ["a", "b"]}, {"prompt": [1, 2, 3]}])
async def test_text_completions_too(stage: Stage, asked: dict[str, Any]) -> None:
    reply = await stage.post(asked, "/v1/completions")
    assert reply.json["choices"][0]["text"] == Chat().text
    frames = await stage.frames({**asked, "stream": True}, "/v1/completions")
    assert (texts(frames), frames[-1].data) == (Chat().text, "[DONE]")


# Engines that are asked for a stream whatever the client wants.


async def test_an_answer_put_together_is_as_the_engine_would_have_given_it(stage: Stage) -> None:
    stage.engine.script = Chat(["こん", "にちは"], fields={"timings": {"n": 2}})
    reply = await stage.post({**PLAIN, "model": "llama"})
    whole = reply.json
    assert stage.engine.requests[0].json["stream"] is True
    assert whole["object"] == "chat.completion"
    assert whole["choices"] == [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "こんにちは"}}
    ]
    assert whole["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
    assert whole["timings"] == {"n": 2}
    call = await stage.call()
    assert (call["stream"], call["completion_tokens"], call["finish_reason"]) == (False, 2, "stop")


async def test_tool_calls_are_put_together(stage: Stage) -> None:
    deltas = [
        {"tool_calls": [{"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": "{"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '"city":"東京"}'}}]},
    ]
    stage.engine.script = Chat(deltas, finish_reason="tool_calls")
    (choice,) = (await stage.post({**PLAIN, "model": "llama"})).json["choices"]
    assert choice["message"]["tool_calls"] == [
        {"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"city":"東京"}'}}
    ]


async def test_several_choices_are_put_together(stage: Stage) -> None:
    def chunk(index: int, text: str, finish: str | None = None) -> Step:
        return body(frame({"choices": [{"index": index, "delta": {"content": text}, "finish_reason": finish}]}))

    steps = [chunk(1, "b"), chunk(0, "a"), chunk(1, "", "stop"), chunk(0, "", "stop"), body(frame("[DONE]")), end]
    stage.engine.script = [head(headers=SSE), *steps]
    choices = (await stage.post({**PLAIN, "model": "llama", "n": 2})).json["choices"]
    assert [each["message"]["content"] for each in choices] == ["a", "b"]


async def test_a_text_completion_is_put_together(stage: Stage) -> None:
    reply = await stage.post({"prompt": "x", "model": "llama"}, "/v1/completions")
    assert (reply.json["object"], reply.json["choices"][0]["text"]) == ("text_completion", Chat().text)


async def test_an_error_on_the_way_to_a_whole_answer_has_its_status(stage: Stage) -> None:
    stage.engine.script = Chat(finish_reason=None, done=False)
    reply = await stage.post({**PLAIN, "model": "llama"})
    assert (reply.status, reply.json["error"]["code"]) == (502, "upstream_error")


async def test_a_missing_role_is_supplied(stage: Stage) -> None:
    stage.engine.script = Chat(["ん"], role_first=False)
    frames = await stage.frames({**STREAM, "model": "llama"})
    assert frames[0].json["choices"][0]["delta"] == {"role": "assistant", "content": "ん"}


async def test_a_hundred_streams_at_once_are_each_their_own(stage: Stage) -> None:
    def script(request: Request) -> Any:
        return Chat([request.json["messages"][0]["content"]] * 20, gap_s=0.005)(request)

    stage.engine.script = script
    asked = [{**STREAM, "messages": [{"role": "user", "content": f"<{n}>"}]} for n in range(100)]
    answers = await asyncio.gather(*(stage.frames(each, CHAT_PATH) for each in asked))
    assert [texts(frames) for frames in answers] == [f"<{n}>" * 20 for n in range(100)]
