"""/v1/responses of engines that have chat alone, through a running gateway: answered, counted and broken off as any other."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest

from tests.support.engine_script import DONE, SSE, Chat, Request, Script, answer, body, cut, end, error, frame, head
from tests.support.http import Frame
from tests.support.responses import Followed, followed, whole
from tests.support.scene import Stage, scene
from tests.support.stages import FORGIVING

pytestmark = pytest.mark.anyio

PATH = "/v1/responses"
ASK: dict[str, Any] = {"input": "こんにちは"}
STREAM: dict[str, Any] = {**ASK, "stream": True}
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
MODELS = pytest.mark.parametrize("model", ["default", "llama"])
"""One that is asked for what the client wants, one that is always asked for a stream."""


@pytest.fixture(scope="module")
async def own_stage() -> AsyncIterator[Stage]:
    others = {"llama": {"backend": "llamacpp"}, "native": {"options": {}}, "small": {"context_tokens": 512}}
    async with scene(backend="openai", options={"responses": "chat"}, others=others, health=FORGIVING) as stage:
        yield stage


@pytest.fixture
async def stage(own_stage: Stage) -> AsyncIterator[Stage]:
    """An engine that has chat alone by three names: `default`, `llama`, and `native`, of which nobody has told the gateway."""
    async with own_stage.between_tests() as fresh:
        yield fresh


def read(frames: list[Frame]) -> list[dict[str, Any]]:
    return [each.json for each in frames if each.data]


@MODELS
async def test_a_stream_is_a_responses_and_counted_as_one(stage: Stage, model: str) -> None:
    frames = await stage.frames({**STREAM, "model": model}, PATH)
    assert [each.event for each in frames if each.data] == [each["type"] for each in read(frames)]
    seen = followed(read(frames))
    assert seen.final is not None
    assert seen.final.output_text == Chat().text
    call = await stage.call()
    assert (call["endpoint"], call["status"], call["stream"]) == ("responses", 200, True)
    assert (call["prompt_tokens"], call["completion_tokens"]) == (7, 3)
    assert call["ttft_ms"] is not None
    assert stage.engine.requests[0].path == "/v1/chat/completions"


@MODELS
async def test_a_whole_answer_is_the_same_response(stage: Stage, model: str) -> None:
    reply = await stage.post({**ASK, "model": model}, PATH)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    response = whole(reply.json)
    assert response.output_text == Chat().text
    assert response.usage is not None
    assert response.usage.total_tokens == 10
    call = await stage.call()
    assert (call["endpoint"], call["prompt_tokens"], call["completion_tokens"]) == ("responses", 7, 3)
    assert stage.engine.requests[0].asks_for_stream == (model == "llama")


async def test_both_end_for_the_same_reason_in_the_books(stage: Stage) -> None:
    stage.engine.script = Chat(finish_reason="length")
    frames = await stage.frames(STREAM, PATH)
    reply = await stage.post(ASK, PATH)
    assert read(frames)[-1]["type"] == "response.incomplete"
    assert reply.json["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [call["finish_reason"] for call in await stage.calls(2)] == ["response.incomplete"] * 2


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_engine_that_counts_nothing_is_estimated(stage: Stage, stream: bool) -> None:
    stage.engine.script = Chat(usage_never=True)
    await stage.post({**ASK, "stream": stream}, PATH)
    call = await stage.call()
    assert call["prompt_tokens"] > 0, "estimated"
    assert call["completion_tokens"] > 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_error_before_the_answer_has_its_status(stage: Stage, stream: bool) -> None:
    stage.engine.script = error(422, "no such thing")
    reply = await stage.post({**ASK, "stream": stream}, PATH)
    assert reply.status == 422
    assert "no such thing" in reply.json["error"]["message"]


def broken(*last: Any) -> Script:
    chat = Chat()
    frames = chat.frames(Request(path="/v1/chat/completions", body=b'{"stream":true}'))[:2]
    return [head(headers=SSE), *map(body, frames), *last]


@pytest.mark.parametrize("how", [cut, body(frame({"error": {"message": "it died", "code": 500}}) + DONE)])
async def test_a_stream_that_breaks_ends_with_the_dialects_error(stage: Stage, how: Any) -> None:
    stage.engine.script = broken(how, end)
    *events, last = read(await stage.frames(STREAM, PATH))
    seen = Followed()
    for each in events:
        seen.take(each)
    assert events[-1]["type"] == "response.output_text.delta"
    assert last.keys() == {"type", "code", "message", "param", "sequence_number"}
    assert (last["type"], last["code"]) == ("error", "upstream_error")
    assert last["sequence_number"] == len(events), "it goes on where they have come to"
    call = await stage.call()
    assert (call["status"], call["error"]) == (502, "upstream_error")


async def test_an_error_in_place_of_the_end_has_the_ends_number(stage: Stage) -> None:
    with closing(sqlite3.connect(stage.gateway.data / "hayate.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        *events, last = read(await stage.frames({**STREAM, "store": True}, PATH))
    assert (last["type"], last["code"]) == ("error", "history_unavailable")
    assert [each["sequence_number"] for each in (*events, last)] == list(range(len(events) + 1))
    assert events[-1]["type"] == "response.output_item.done"


@MODELS
async def test_a_whole_answer_that_breaks_is_an_error(stage: Stage, model: str) -> None:
    stage.engine.script = broken(cut) if model == "llama" else answer({"error": {"message": "it died"}})
    reply = await stage.post({**ASK, "model": model}, PATH)
    assert (reply.status, reply.json["error"]["code"]) == (502, "upstream_error")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@MODELS
async def test_a_whole_answer_in_place_of_a_stream_is_welcome(stage: Stage, model: str, stream: bool) -> None:
    said = Chat()(Request(path="/v1/chat/completions", body=b"{}"))
    stage.engine.script = said
    asked = {**ASK, "model": model, "stream": stream}
    streamed = followed(read(await stage.frames(asked, PATH))).final if stream else None
    final = streamed or whole((await stage.post(asked, PATH)).json)
    assert final.output_text == Chat().text


@pytest.mark.parametrize("said", [b"<html>nothing here</html>", b'{"choices":5}', b'{"choices":[]', b"[]"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@MODELS
async def test_what_is_no_answer_is_an_error(stage: Stage, model: str, stream: bool, said: bytes) -> None:
    stage.engine.script = answer(said)
    reply = await stage.post({**ASK, "model": model, "stream": stream}, PATH)
    assert (reply.status, reply.json["error"]["code"]) == (502, "upstream_error")


async def test_an_engine_that_minds_stream_options_is_asked_without(stage: Stage) -> None:
    def minding(request: Request) -> Script:
        if "stream_options" in request.json:
            return error(400, "Unrecognized request argument supplied: stream_options")
        return Chat(usage_never=True)(request)

    stage.engine.script = minding
    final = followed(read(await stage.frames({**STREAM, "stream_options": {"include_obfuscation": False}}, PATH))).final
    assert final is not None
    assert len(stage.engine.requests) == 2


async def test_a_loop_of_function_calls(stage: Stage) -> None:
    calls = [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"a":1}'}}]
    stage.engine.script = Chat([{"tool_calls": calls}], finish_reason="tool_calls")
    first = followed(read(await stage.frames({**STREAM, "tools": [TOOL]}, PATH)))
    [item] = first.items
    assert (item["type"], item["call_id"], item["arguments"]) == ("function_call", "call_1", '{"a":1}')
    stage.engine.script = Chat(["Rain."])
    result = {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
    said = [{"role": "user", "content": "weather?"}, item, result]
    reply = await stage.post({"input": said, "tools": [TOOL]}, PATH)
    assert whole(reply.json).output_text == "Rain."
    sent = stage.engine.requests[-1].json
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "tool"]
    assert sent["messages"][1]["tool_calls"][0]["id"] == sent["messages"][2]["tool_call_id"] == "call_1"


async def test_more_output_than_the_context_holds_names_the_field_that_was_sent(stage: Stage) -> None:
    reply = await stage.post({**ASK, "model": "small", "max_output_tokens": 5000}, PATH)
    assert (reply.status, reply.json["error"]["param"]) == (400, "max_output_tokens")


@pytest.mark.parametrize("gone", [answer({"detail": "Not Found"}, 404), answer(b"", 405), answer({"error": "no"}, 501)])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_engine_that_turns_out_to_have_no_responses_is_asked_for_a_chat(
    stage: Stage, gone: Script, stream: bool
) -> None:
    def lacking(request: Request) -> Script:
        return Chat()(request) if "chat" in request.path else gone

    stage.engine.script = lacking
    for _ in range(3):
        reply = await stage.post({**ASK, "model": "native", "stream": stream}, PATH)
        assert reply.status == 200, reply.text
        last = reply.json if not stream else json.loads(reply.body.split(b"data: ")[-1])["response"]
        assert whole(last).output_text == Chat().text
    paths = [request.path for request in stage.engine.requests]
    assert paths.count("/v1/chat/completions") == 3
    assert paths.count(PATH) <= 1, "it is remembered"


async def test_an_engine_that_has_neither_says_so(stage: Stage) -> None:
    stage.engine.script = answer({"detail": "Not Found"}, 404)
    reply = await stage.post({**ASK, "model": "native"}, PATH)
    assert (reply.status, reply.json["error"]["code"]) == (501, "not_supported")


AGENTS = {"type": "namespace", "name": "agents", "description": "d", "tools": [TOOL]}
PATCH = {"type": "custom", "name": "patch"}
TOOLS = [TOOL, AGENTS, PATCH, {"type": "web_search"}, {"type": "image_generation"}]
CALLS = [
    {"index": 0, "id": "a", "type": "function", "function": {"name": "agents__weather", "arguments": "{}"}},
    {"index": 1, "id": "b", "type": "function", "function": {"name": "patch", "arguments": '{"input":"x"}'}},
]


def _calling(request: Request) -> Script:
    """Calls two tools, and says something once they have returned."""
    if request.json["messages"][-1]["role"] == "tool":
        return Chat()(request)
    if request.asks_for_stream:
        return Chat([{"tool_calls": CALLS}], finish_reason="tool_calls")(request)
    message = {"role": "assistant", "content": None, "tool_calls": CALLS}
    return answer({"object": "chat.completion", "choices": [{"message": message, "finish_reason": "tool_calls"}]})


@MODELS
@pytest.mark.parametrize("streams", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("stored", [True, False], ids=["stored", "said-again"])
async def test_agents_tools_are_called_and_answered(stage: Stage, model: str, streams: bool, stored: bool) -> None:
    stage.engine.script = _calling
    asked = {"model": model, "tools": TOOLS, "store": stored}
    first = await _response(stage, {**asked, "input": "こんにちは"}, streams)
    calls = first["output"]
    assert [(call["type"], call.get("namespace"), call["name"]) for call in calls] == [
        ("function_call", "agents", "weather"),
        ("custom_tool_call", None, "patch"),
    ]
    assert (calls[0]["arguments"], calls[1]["input"]) == ("{}", "x")
    outputs = [{"type": f"{call['type']}_output", "call_id": call["call_id"], "output": "ok"} for call in calls]
    if stored:
        kept = await stage.get(f"{PATH}/{first['id']}")
        assert [(each["type"], each.get("namespace")) for each in kept.json["output"]] == [
            ("function_call", "agents"),
            ("custom_tool_call", None),
        ]
        more = {"previous_response_id": first["id"], "input": outputs}
    else:
        more = {"input": [{"role": "user", "content": "こんにちは"}, *calls, *outputs]}
    second = await _response(stage, {**asked, **more}, streams)
    assert second["output"][0]["content"][0]["text"] == Chat().text
    said = stage.engine.requests[-1].json["messages"]
    assert [each["function"] for each in said[1]["tool_calls"]] == [each["function"] for each in CALLS]
    assert [each.get("tool_call_id") for each in said] == [None, None, "a", "b"]


async def _response(stage: Stage, asked: dict[str, Any], streams: bool) -> dict[str, Any]:
    """The response, whose head says what was left out."""
    async with stage.connect() as client:
        await client.send(stage.request({**asked, "stream": streams}, PATH))
        reply = await client.read_head()
        assert reply.headers["x-hayate-tools-omitted"] == "web_search, image_generation"
        if not streams:
            response: dict[str, Any] = json.loads(await client.read_body())
            return response
        frames = [frame async for frame in client.frames()]
    events = read(frames)
    for each in events:
        each.get("response", {}).pop("conversation", None)
    followed(events)
    final: dict[str, Any] = events[-1]["response"]
    return final


async def test_nothing_is_told_where_nothing_is_left_out(stage: Stage) -> None:
    nothing = await stage.post({**ASK, "tools": [TOOL]}, PATH)
    assert "x-hayate-tools-omitted" not in nothing.headers
    refused = await stage.post({**ASK, "tools": TOOLS, "tool_choice": {"type": "web_search"}}, PATH)
    assert (refused.status, refused.json["error"]["param"]) == (400, "tool_choice.type")
    assert "x-hayate-tools-omitted" not in refused.headers
