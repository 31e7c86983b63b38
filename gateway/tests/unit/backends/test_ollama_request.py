"""OpenAI's requests become Ollama's, with a context that never changes."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.backends.ollama_request import chat_body, generate_body
from hayate.errors import InvalidRequest, UnsupportedField

HELLO = {"messages": [{"role": "user", "content": "こんにちは"}]}


def chat(**fields: Any) -> dict[str, Any]:
    return chat_body({**HELLO, **fields}, model="m", num_ctx=4096)


def test_every_call_sets_the_context_and_forbids_cutting() -> None:
    for body in (chat(), generate_body({"prompt": "a"}, model="m", num_ctx=4096)):
        assert (body["model"], body["options"], body["stream"]) == ("m", {"num_ctx": 4096}, True)
        assert (body["truncate"], body["shift"]) == (False, False)


@pytest.mark.parametrize("field", ["options", "num_ctx", "keep_alive"])
def test_a_caller_can_not_make_ollama_load_the_model_anew(field: str) -> None:
    with pytest.raises(UnsupportedField):
        chat(**{field: 1})


def test_sampling_fields_become_options() -> None:
    options = chat(
        temperature=0.5, top_p=0.9, seed=7, stop="。", max_tokens=5, max_completion_tokens=9, repetition_penalty=1.1
    )["options"]
    assert options == {
        "num_ctx": 4096,
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "stop": ["。"],
        "num_predict": 9,
        "repeat_penalty": 1.1,
    }


def test_images_are_bare_base64_and_texts_are_joined() -> None:
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
        {"type": "text", "text": "b"},
    ]
    [message] = chat(messages=[{"role": "user", "content": parts}])["messages"]
    assert message == {"role": "user", "content": "a\nb", "images": ["QUJD"]}
    for url in ("data:image/svg+xml,<svg/>", "nothing"):
        with pytest.raises(InvalidRequest) as refusal:
            chat(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}])
        assert refusal.value.param == "messages.0.content.0.image_url"


def test_tool_calls_of_the_history_have_objects_and_answers_their_tool_s_name() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"city":"東京"}'}}
    messages = [
        *HELLO["messages"],
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "hm"},
        {"role": "tool", "tool_call_id": "c1", "content": "晴れ"},
        {"role": "developer", "content": "be kind"},
    ]
    sent = chat(messages=messages)["messages"]
    assert sent[1] == {
        "role": "assistant",
        "content": "",
        "thinking": "hm",
        "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {"city": "東京"}}}],
    }
    assert sent[2] == {"role": "tool", "content": "晴れ", "tool_call_id": "c1", "tool_name": "f"}
    assert sent[3]["role"] == "system"


@pytest.mark.parametrize("arguments", ["not json", "[1]", None, 5])
def test_arguments_that_are_no_object_are_named(arguments: Any) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    if arguments is None:
        del call["function"]["arguments"]  # type: ignore[attr-defined]
    with pytest.raises(InvalidRequest) as refusal:
        chat(messages=[{"role": "assistant", "content": "", "tool_calls": [call]}])
    assert refusal.value.param == "messages.0.tool_calls.0"


def test_tools_go_along_unless_they_are_forbidden() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert chat(tools=tools)["tools"] == chat(tools=tools, tool_choice="auto")["tools"] == tools
    assert "tools" not in chat(tools=tools, tool_choice="none")
    for demanded in ("required", {"type": "function", "function": {"name": "f"}}):
        with pytest.raises(UnsupportedField) as refusal:
            chat(tools=tools, tool_choice=demanded)
        assert refusal.value.param == "tool_choice"


def test_response_formats() -> None:
    schema = {"type": "object"}
    assert "format" not in chat(response_format={"type": "text"})
    assert chat(response_format={"type": "json_object"})["format"] == "json"
    named = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    assert chat(response_format=named)["format"] == schema
    with pytest.raises(InvalidRequest):
        chat(response_format={"type": "json_schema", "json_schema": {}})
    with pytest.raises(UnsupportedField):
        chat(response_format={"type": "grammar"})


def test_thinking_is_asked_for_in_either_way() -> None:
    assert [chat(reasoning_effort=each)["think"] for each in ("none", "minimal", "high")] == [False, "low", "high"]
    assert chat(think=True, reasoning_effort="high")["think"] is True
    with pytest.raises(InvalidRequest) as refusal:
        chat(reasoning_effort="extreme")
    assert refusal.value.param == "reasoning_effort"


def test_a_text_completion_is_raw_unless_the_middle_is_to_be_filled() -> None:
    def body(**fields: Any) -> dict[str, Any]:
        return generate_body({"prompt": ["a"], **fields}, model="m", num_ctx=1)

    assert (body()["prompt"], body()["raw"]) == ("a", True)
    assert body(suffix="z").get("raw") is None
    assert body(suffix="z")["suffix"] == "z"
    assert (body(logprobs=0)["logprobs"], body(logprobs=2)["top_logprobs"]) == (True, 2)
    assert "logprobs" not in body()
    with pytest.raises(UnsupportedField, match="logprobs"):
        body(logprobs=-1)
    with pytest.raises(UnsupportedField):
        body(echo=True)


def test_unknown_roles_and_parts_are_named() -> None:
    with pytest.raises(UnsupportedField) as refusal:
        chat(messages=[{"role": "wizard", "content": "a"}])
    assert refusal.value.param == "messages.0.role"
    with pytest.raises(UnsupportedField):
        chat(messages=[{"role": "user", "content": [{"type": "file", "file": {}}]}])
