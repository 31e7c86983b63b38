"""A caller sends only the new turn: the stored ones go along, and what is told has been kept."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from tests.support.engine_script import (
    SSE,
    Chat,
    Request,
    Script,
    answer,
    body,
    cut,
    end,
    frame,
    head,
    silence,
    sse,
    until,
)
from tests.support.http import fetch
from tests.support.remembered import OMITTED, TELLS, counted, lines, loaded, named_by, said_to, until_kept
from tests.support.scene import CHAT_PATH, Stage, scene
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio

HI = {"role": "user", "content": "こんにちは"}
AND = {"role": "user", "content": "それから？"}
MESSAGES, RESPONSES, GENERATE = "/v1/messages", "/v1/responses", "/generate_stream"


async def begun(stage: Stage, **more: Any) -> str:
    """A conversation with one turn."""
    reply = await stage.post({"messages": [HI], "conversation": "new", **more})
    assert reply.status == 200, reply.text
    return named_by(reply)


@pytest.mark.parametrize("model", ["scripted", "llama"])
async def test_the_stored_turns_go_along(stage: Stage, model: str) -> None:
    """A whole answer of an engine's, or one that the gateway makes of a stream."""
    first = await stage.post({"model": model, "messages": [HI], "conversation": "new"})
    conversation = named_by(first)
    assert first.json["conversation"] == {"id": conversation}
    assert first.json["choices"][0]["message"]["content"] == "こんにちは。"
    stage.engine.script = Chat(["それで", "終わり"])
    second = await stage.post({"model": model, "messages": [AND], "conversation": conversation})
    assert (second.status, named_by(second), second.json["conversation"]) == (200, conversation, {"id": conversation})
    assert said_to(stage.engine.requests[-1]) == [
        ("user", "こんにちは"),
        ("assistant", "こんにちは。"),
        ("user", "それから？"),
    ]
    assert "conversation" not in stage.engine.requests[-1].json
    assert lines(stage, conversation) == [
        (1, "user", "こんにちは"),
        (1, "assistant", "こんにちは。"),
        (2, "user", "それから？"),
        (2, "assistant", "それで終わり"),
    ]
    assert OMITTED not in second.headers


@pytest.mark.parametrize("by_header", [False, True])
async def test_a_stream_names_its_conversation_and_is_kept(stage: Stage, by_header: bool) -> None:
    asked: dict[str, Any] = {"messages": [HI], "stream": True}
    headers = {"x-conversation-id": "new"} if by_header else {}
    asked |= {} if by_header else {"conversation": {"id": "new"}}
    async with stage.connect() as client:
        await client.send(stage.request(asked, headers=headers))
        reply = await client.read_head()
        conversation = named_by(reply)
        frames = [each async for each in client.frames()]
    assert frames[-1].data == "[DONE]"
    assert lines(stage, conversation) == [(1, "user", "こんにちは"), (1, "assistant", "こんにちは。")]
    plain = await stage.frames({"messages": [HI], "stream": True})
    assert [each.data for each in plain] == [each.data for each in frames], "a stream as any other"
    await stage.frames({"messages": [AND], "stream": True}, headers={"x-conversation-id": conversation})
    assert said_to(stage.engine.requests[-1])[:2] == [("user", "こんにちは"), ("assistant", "こんにちは。")]
    assert len(lines(stage, conversation)) == 4


async def test_the_head_stands_before_all_turns(stage: Stage) -> None:
    system = {"role": "system", "content": "あなたは猫です"}
    conversation = named_by(await stage.post({"messages": [system, HI], "conversation": "new"}))
    await stage.post({"messages": [AND], "conversation": conversation})
    assert said_to(stage.engine.requests[-1])[0] == ("system", "あなたは猫です")
    dog = {"role": "system", "content": "あなたは犬です"}
    await stage.post({"messages": [dog, AND], "conversation": conversation})
    assert [role for role, _ in said_to(stage.engine.requests[-1])] == ["system", *("user", "assistant") * 2, "user"]
    assert said_to(stage.engine.requests[-1])[0] == ("system", "あなたは犬です")
    assert [line for line in lines(stage, conversation) if line[0] == 0] == [(0, "system", "あなたは犬です")]
    await stage.post({"messages": [AND], "conversation": conversation})
    assert said_to(stage.engine.requests[-1])[0] == ("system", "あなたは犬です")


async def test_all_four_dialects_go_on_with_one_conversation(stage: Stage) -> None:
    conversation = await begun(stage)
    message = {"id": "m", "type": "message", "role": "assistant", "model": "x", "content": [{"type": "text", "text": "二"}],
               "stop_reason": "end_turn", "usage": {"input_tokens": 3, "output_tokens": 1}}  # fmt: skip
    stage.engine.script = answer(message)
    reply = await stage.post(
        {"model": "scripted", "max_tokens": 9, "messages": [AND], "conversation": conversation}, MESSAGES
    )
    assert (reply.status, named_by(reply), reply.json) == (200, conversation, message)
    sent = stage.engine.requests[-1]
    assert (sent.path, said_to(sent)[:2]) == (MESSAGES, [("user", "こんにちは"), ("assistant", "こんにちは。")])
    output = [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
               "content": [{"type": "output_text", "text": "三", "annotations": []}]}]  # fmt: skip
    response = {"id": "resp_engine", "object": "response", "status": "completed", "output": output}
    stage.engine.script = answer(response)
    reply = await stage.post({"input": "三つ目", "conversation": {"id": conversation}}, RESPONSES)
    assert (reply.status, named_by(reply), reply.json["conversation"]) == (200, conversation, {"id": conversation})
    assert reply.json["id"].startswith("resp_")
    assert reply.json["id"] != "resp_engine"
    assert reply.json["store"] is True
    sent = stage.engine.requests[-1].json
    assert [each["role"] for each in sent["input"]] == ["user", "assistant"] * 2 + ["user"]
    assert (sent["store"], "conversation" in sent, "previous_response_id" in sent) == (False, False, False)
    stage.engine.script = Chat(["四"])
    frames = await stage.frames(path=f"{GENERATE}?prompt=%E5%9B%9B&conversation={conversation}")
    done = frames[-1]
    assert (done.event, done.json["conversation"], done.json["turns_omitted"]) == ("done", conversation, 0)
    assert [line[2] for line in lines(stage, conversation)] == [
        "こんにちは", "こんにちは。", "それから？", "二", "三つ目", "三", "四", "四",
    ]  # fmt: skip
    assert len(said_to(stage.engine.requests[-1])) == 7


async def test_generate_stream_begins_one(stage: Stage) -> None:
    frames = await stage.frames(path=f"{GENERATE}?prompt=hi&conversation=new")
    conversation = frames[-1].json["conversation"]
    assert lines(stage, conversation) == [(1, "user", "hi"), (1, "assistant", "こんにちは。")]
    await stage.frames({"prompt": "and?", "conversation": conversation}, GENERATE)
    assert said_to(stage.engine.requests[-1])[0] == ("user", "hi")


async def test_tools_go_on_with_their_turn(stage: Stage) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"東京"}'}}
    first = {"tool_calls": [{"index": 0, **call, "function": {"name": "weather", "arguments": ""}}]}
    more = [{"tool_calls": [{"index": 0, "function": {"arguments": text}}]} for text in ('{"city":', '"東京"', "}")]
    parts = [first, *more]
    stage.engine.script = Chat(parts, finish_reason="tool_calls")
    tools = [{"type": "function", "function": {"name": "weather", "parameters": {}}}]
    frames = await stage.frames(
        {"messages": [HI], "tools": tools, "stream": True}, headers={"x-conversation-id": "new"}
    )
    assert frames[-1].data == "[DONE]"
    with_id = await stage.post({"messages": [HI], "tools": tools, "conversation": "new", "stream": True})
    conversation = named_by(with_id)
    stage.engine.script = Chat(["晴れ"])
    output = {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}
    reply = await stage.post({"messages": [output], "tools": tools, "conversation": conversation})
    assert reply.status == 200, reply.text
    sent = stage.engine.requests[-1].json["messages"]
    assert [each["role"] for each in sent] == ["user", "assistant", "tool"]
    assert sent[1]["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city":"東京"}'}
    assert [line[:2] for line in lines(stage, conversation)] == [
        (1, "user"),
        (1, "function_call"),
        (1, "function_call_output"),
        (1, "assistant"),
    ]
    lost = await stage.post({"messages": [{**output, "tool_call_id": "call_x"}], "conversation": conversation})
    assert (lost.status, lost.json["error"]["param"]) == (400, "messages")


async def test_reasoning_is_kept_and_not_sent_again(stage: Stage) -> None:
    stage.engine.script = Chat([{"reasoning": "うーん"}, {"reasoning": "…"}, "答え"])
    reply = await stage.post({"messages": [HI], "conversation": "new", "stream": True})
    conversation = named_by(reply)
    assert lines(stage, conversation) == [
        (1, "user", "こんにちは"),
        (1, "reasoning", "うーん…"),
        (1, "assistant", "答え"),
    ]
    await stage.post({"messages": [AND], "conversation": conversation})
    assert said_to(stage.engine.requests[-1]) == [("user", "こんにちは"), ("assistant", "答え"), ("user", "それから？")]


async def test_the_last_answer_is_made_anew(stage: Stage) -> None:
    conversation = await begun(stage)
    await stage.post({"messages": [AND], "conversation": conversation})
    stage.engine.script = Chat(["新しい"])
    reply = await stage.post({"conversation": {"id": conversation, "regenerate": True}, "stream": True})
    assert reply.status == 200, reply.text
    assert said_to(stage.engine.requests[-1])[-1] == ("user", "それから？")
    assert lines(stage, conversation)[2:] == [(2, "user", "それから？"), (2, "assistant", "新しい")]
    refused = await stage.post({"messages": [HI], "conversation": {"id": conversation, "regenerate": True}})
    assert (refused.status, refused.json["error"]["param"]) == (400, "messages")
    nothing = await stage.post({"messages": [], "conversation": conversation})
    assert (nothing.status, nothing.json["error"]["param"]) == (400, "messages")


async def test_a_picture_is_kept_once_and_goes_along(stage: Stage) -> None:
    before = counted(stage, "images")
    url = "data:image/png;base64," + base64.b64encode(b"\x89PNG" + bytes(range(200))).decode()
    picture = {"type": "image_url", "image_url": {"url": url}}
    asked = {"messages": [{"role": "user", "content": [{"type": "text", "text": "これは？"}, picture]}]}
    conversation = named_by(await stage.post({**asked, "conversation": "new"}))
    await stage.post({**asked, "conversation": conversation})
    assert counted(stage, "images") == before + 1
    await stage.post({"messages": [AND], "conversation": conversation})
    sent = stage.engine.requests[-1].json["messages"]
    assert [each["content"][1]["image_url"]["url"] for each in sent if isinstance(each["content"], list)] == [url, url]


BAD: dict[str, tuple[Any, str, str]] = {
    "another's": ({"conversation": "conv_" + "0" * 32}, CHAT_PATH, "conversation_not_found"),
    "no id": ({"conversation": "abc"}, CHAT_PATH, "conversation_not_found"),
    "n": ({"conversation": "new", "n": 2}, CHAT_PATH, "n"),
    "a number": ({"conversation": 7}, CHAT_PATH, "conversation"),
    "no such field": ({"conversation": {"id": "new", "x": 1}}, CHAT_PATH, "conversation"),
    "nothing to make anew": ({"conversation": {"id": "new", "regenerate": True}}, CHAT_PATH, "conversation.regenerate"),
    "text": ({"conversation": "new", "prompt": "x"}, "/v1/completions", "conversation"),
    "vectors": ({"conversation": "new", "input": "x"}, "/v1/embeddings", "conversation"),
    "both": ({"conversation": "new", "previous_response_id": "resp_1", "input": "x"}, RESPONSES, "previous_response_id"),
    "no response": ({"previous_response_id": "resp_" + "0" * 32, "input": "x"}, RESPONSES, "response_not_found"),
    "no response's id": ({"previous_response_id": "x", "input": "x"}, RESPONSES, "response_not_found"),
    "truncation": ({"conversation": {"id": "new", "truncation": "some"}}, CHAT_PATH, "conversation.truncation"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
async def test_what_bad_input_gets(stage: Stage, case: str) -> None:
    asked, path, names = BAD[case]
    reply = await stage.post({"messages": [HI], **asked}, path)
    assert reply.status == (404 if names.endswith("not_found") else 400), reply.text
    assert names in (reply.json["error"]["param"], reply.json["error"]["code"])
    assert TELLS not in reply.headers
    assert not stage.engine.requests


async def test_anthropics_callers_are_told_in_their_dialect(stage: Stage) -> None:
    asked = {"model": "scripted", "max_tokens": 9, "messages": [HI], "conversation": "conv_" + "0" * 32}
    reply = await stage.post(asked, MESSAGES)
    assert (reply.status, reply.json["type"], reply.json["error"]["type"]) == (404, "error", "not_found_error")


async def test_another_projects_conversation_is_not_there(stage: Stage) -> None:
    conversation = await begun(stage)
    other = await stage.new_key(project="other")
    no_history = await stage.new_key(project="default", areas=["calls"])
    for path, asked in (
        (CHAT_PATH, {"messages": [HI]}),
        (CHAT_PATH, {"messages": [HI], "stream": True}),
        (RESPONSES, {"input": "x"}),
        (MESSAGES, {"messages": [HI], "model": "scripted", "max_tokens": 9}),
        (GENERATE, {"prompt": "x"}),
    ):
        for key, status in ((other, 404), (no_history, 403)):
            named = {**asked, "conversation": {"id": conversation, "wait": False}}
            reply = await fetch(stage.url, path, named, key=key["key"])
            assert reply.status == status, (path, reply.text)
    assert len(lines(stage, conversation)) == 2


async def test_the_second_call_waits_for_its_turn(stage: Stage) -> None:
    conversation = await begun(stage)
    go = asyncio.Event()
    stage.engine.script = [
        head(headers=SSE),
        body(Chat().frames(Request(path="/chat/", body=b"{}"))[1]),
        until(go),
        cut,
    ]

    async with stage.connect() as first:
        await first.send(stage.request({"messages": [AND], "conversation": conversation, "stream": True}))
        await first.read_head()
        locked = await stage.post({"messages": [AND], "conversation": {"id": conversation, "wait": False}})
        assert (locked.status, locked.json["error"]["code"]) == (409, "conversation_locked")
        async with stage.connect() as leaver:
            await leaver.send(stage.request({"messages": [AND], "conversation": conversation}))
            await asyncio.sleep(0.05)
            leaver.leave()
        second = asyncio.create_task(
            stage.post({"messages": [{"role": "user", "content": "三"}], "conversation": conversation})
        )
        await asyncio.sleep(0.1)
        assert not second.done()
        assert len(stage.engine.requests) == 2
        stage.engine.script = Chat(["やっと"])
        go.set()
        assert (await second).status == 200
    assert said_to(stage.engine.requests[-1]) == [
        ("user", "こんにちは"), ("assistant", "こんにちは。"), ("user", "それから？"), ("assistant", "こん"), ("user", "三"),
    ]  # fmt: skip
    assert lines(stage, conversation)[2:] == [
        (2, "user", "それから？"), (2, "assistant", "こん…"), (3, "user", "三"), (3, "assistant", "やっと"),
    ]  # fmt: skip


async def test_a_call_that_failed_before_any_answer_leaves_nothing(stage: Stage) -> None:
    conversation = await begun(stage)
    stage.engine.script = answer({"error": {"message": "no"}}, 500)
    failed = await stage.post({"messages": [AND], "conversation": conversation})
    assert failed.status >= 500
    assert TELLS not in failed.headers
    new = await stage.post({"messages": [AND], "conversation": "new"})
    assert TELLS not in new.headers
    stage.engine.script = [head(headers=SSE), body(b'data: {"error":{"message":"no"}}\n\n'), end]
    await stage.post({"messages": [AND], "conversation": conversation, "stream": True})
    assert len(lines(stage, conversation)) == 2
    stage.engine.script = Chat()
    assert (await stage.post({"messages": [AND], "conversation": conversation})).status == 200
    assert len(lines(stage, conversation)) == 4


def half(stage: Stage, *last: Any) -> Script:
    request = Request(path="/chat/", body=b"{}")
    return [head(headers=SSE), *map(body, Chat(["あ", "い", "う", "え"]).frames(request)[:4]), *last]


@pytest.mark.parametrize("how", ["client", "engine"])
async def test_a_cut_answer_is_kept_as_far_as_it_went(stage: Stage, how: str) -> None:
    conversation = await begun(stage)
    stage.engine.script = half(stage, cut if how == "engine" else silence)
    async with stage.connect() as client:
        await client.send(stage.request({"messages": [AND], "conversation": conversation, "stream": True}))
        await client.read_head()
        heard = b""
        async for each in client.frames():
            heard += each.raw
            if "う".encode() in heard and how == "client":
                client.leave()
                break
    assert (await until_kept(stage, conversation, 4))[2:] == [(2, "user", "それから？"), (2, "assistant", "あいう…")]
    stage.engine.script = Chat(["続き"])
    await stage.post({"messages": [{"role": "user", "content": "続けて"}], "conversation": conversation})
    assert said_to(stage.engine.requests[-1])[-2:] == [("assistant", "あいう"), ("user", "続けて")]


async def test_a_response_is_told_by_our_id_and_gone_on_from(stage: Stage) -> None:
    def script(request: Request) -> Script:
        said = request.json["input"]
        text = said if isinstance(said, str) else said[-1]["content"][0]["text"]
        item: dict[str, Any] = {
            "type": "message",
            "id": f"msg_{len(stage.engine.requests)}",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": f"re: {text}", "annotations": []}],
        }
        response: dict[str, Any] = {"id": "resp_engine", "object": "response", "status": "in_progress", "output": []}
        whole = {**response, "status": "completed", "output": [item], "usage": {"input_tokens": 5, "output_tokens": 2}}
        if not request.json.get("stream"):
            return answer(whole)
        events: list[tuple[str, dict[str, Any]]] = [("created", {"response": response}), ("in_progress", {"response": response}),
                  ("output_item.added", {"item": {**item, "content": []}}),
                  *(("output_text.delta", {"item_id": item["id"], "delta": each}) for each in ("re: ", text)),
                  ("output_item.done", {"item": item}), ("completed", {"response": whole})]  # fmt: skip
        return sse(frame({"type": f"response.{name}", **more}, event=f"response.{name}") for name, more in events)

    stage.engine.script = script
    previous, ids = None, []
    for n in range(4):
        asked = {"input": f"q{n}", "stream": n % 2 == 1} | ({"previous_response_id": previous} if previous else {})
        if n % 2:
            frames = await stage.frames(asked, RESPONSES)
            told = [each.json["response"] for each in frames if "response" in each.json]
            assert len(told) == 3
            assert len({each["id"] for each in told}) == 1
            assert told[-1]["output"][0]["content"][0]["text"] == f"re: q{n}"
        else:
            reply = await stage.post(asked, RESPONSES)
            assert reply.status == 200, reply.text
            told = [reply.json]
        assert all(each["store"] is True and each["previous_response_id"] == previous for each in told)
        assert "conversation" not in told[-1]
        previous = told[-1]["id"]
        ids.append(previous)
        sent = stage.engine.requests[-1].json["input"]
        assert sent == "q0" if n == 0 else len(sent) == 2 * n + 1, "what stands alone is sent as it came"
    # behind the first one a branch begins
    reply = await stage.post({"input": "other", "previous_response_id": ids[0]}, RESPONSES)
    sent = stage.engine.requests[-1].json["input"]
    assert [each["content"][0]["text"] for each in sent] == ["q0", "re: q0", "other"]
    branch = reply.json["id"]
    reply = await stage.post({"input": "more", "previous_response_id": branch}, RESPONSES)
    assert len(stage.engine.requests[-1].json["input"]) == 5
    assert counted(stage, "conversations WHERE NOT listed") >= 2
    unkept = await stage.post({"input": "x", "previous_response_id": branch, "store": False}, RESPONSES)
    assert (unkept.json["store"], unkept.json["id"], unkept.json["previous_response_id"]) == (
        False,
        "resp_engine",
        branch,
    )
    assert (await stage.post({"input": "x", "store": False}, RESPONSES)).json["id"] == "resp_engine"


async def test_a_keys_default_decides_whether_a_response_is_kept(stage: Stage) -> None:
    whole = {"id": "resp_engine", "object": "response", "status": "completed", "output": [{"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": "x", "annotations": []}]}]}  # fmt: skip  # noqa: E501
    stage.engine.script = answer(whole)
    before = counted(stage, "responses")
    key = await stage.new_key(defaults={"store": False})
    reply = await fetch(stage.url, RESPONSES, {"input": "x"}, key=key["key"])
    assert (reply.json["id"], counted(stage, "responses")) == ("resp_engine", before)
    reply = await fetch(stage.url, RESPONSES, {"input": "x", "store": True}, key=key["key"])
    assert reply.json["id"] != "resp_engine"
    assert counted(stage, "responses") == before + 1
    assert json.loads(json.dumps(reply.json))["store"] is True


async def test_a_keys_own_words_are_sent_and_not_kept(stage: Stage) -> None:
    key = await stage.new_key(project="default", defaults={"system": "丁寧に"})
    reply = await fetch(stage.url, CHAT_PATH, {"messages": [{"role": "system", "content": "猫"}, HI], "conversation": "new"}, key=key["key"])  # fmt: skip  # noqa: E501
    conversation = named_by(reply)
    await fetch(stage.url, CHAT_PATH, {"messages": [AND], "conversation": conversation}, key=key["key"])
    assert said_to(stage.engine.requests[-1])[0] == ("system", "丁寧に\n\n猫")
    assert lines(stage, conversation)[0] == (0, "system", "猫")


async def test_what_does_not_fit_is_left_out_and_told(stage: Stage) -> None:
    stage.engine.script = Chat(["い" * 120], prompt_tokens=300)
    conversation = "new"
    for n in range(6):
        asked = {"model": "smaller", "max_tokens": 50, "messages": [{"role": "user", "content": f"{n} " + "あ" * 60}]}
        reply = await stage.post({**asked, "conversation": conversation})
        assert reply.status == 200, reply.text
        conversation = named_by(reply)
    assert int(reply.headers[OMITTED]) > 0
    found = loaded(stage, conversation)
    assert found is not None
    assert found.conversation.first_turn > 1
    assert len(lines(stage, conversation)) == 12


async def test_what_engines_with_chat_alone_answer_is_kept_as_a_response(stage: Stage) -> None:
    """Its response is the gateway's own translation, streamed or whole."""
    async with scene(backend="trtllm") as other:
        other.engine.script = Chat(["はい", "。"])
        first = await other.post({"input": "一"}, RESPONSES)
        assert first.json["output"][0]["content"][0]["text"] == "はい。"
        asked = {"input": "二", "previous_response_id": first.json["id"], "stream": True}
        frames = await other.frames(asked, RESPONSES)
        completed = frames[-1].json["response"]
        assert (frames[-1].event, completed["previous_response_id"]) == ("response.completed", first.json["id"])
        assert [text for _, text in said_to(other.engine.requests[-1])] == ["一", "はい。", "二"]
        third = await other.post({"input": "三", "previous_response_id": completed["id"]}, RESPONSES)
        assert third.status == 200
        assert len(said_to(other.engine.requests[-1])) == 5
    assert stage.engine.open == 0


async def test_the_operators_copy_is_what_was_told() -> None:
    async with scene(record={"content": {"main": {"days": 7}}}) as stage:
        reply = await stage.post({"messages": [HI], "conversation": "new", "stream": True})
        conversation = named_by(reply)
        assert len(lines(stage, conversation)) == 2
        operators: dict[str, Any] = {"key": stage.operators_key}

        async def is_there() -> bool:
            data = (await fetch(stage.url, "/admin/calls", **operators)).json["data"]
            return bool(data and data[0]["content"])

        await eventually(is_there)
        call = (await fetch(stage.url, "/admin/calls", **operators)).json["data"][0]
        kept = (await fetch(stage.url, f"/admin/calls/{call['id']}/content", **operators)).json
        assert conversation not in kept["prompt"]
        assert kept["answer"] == reply.text
