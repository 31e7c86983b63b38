"""A request for a response as a chat's: every field reaches the engine under chat's name for it, or is refused by its own."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.errors import InvalidRequest, UnsupportedField
from hayate.wire.fields import unsupported
from hayate.wire.responses_to_chat import chat_fields, renamed
from tests.support.tables import table

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"type": "function", "name": "f", "parameters": SCHEMA}


def chat(**fields: Any) -> dict[str, Any]:
    return chat_fields("engine", {"input": "Hello", **fields}, limits_calls=True)[0]


def rest(**fields: Any) -> dict[str, Any]:
    """What is sent beside the messages."""
    return {name: value for name, value in chat(**fields).items() if name != "messages"}


def messages(said: Any, **fields: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = chat(input=said, **fields)["messages"]
    return found


def user(text: str = "Hello") -> dict[str, Any]:
    return {"role": "user", "content": text}


def test_a_text_is_a_message_of_the_users() -> None:
    assert chat() == {"messages": [user()]}


def test_what_stands_before_a_conversation_is_one_message_of_the_systems() -> None:
    head = [{"role": "developer", "content": "b"}, {"role": "system", "content": "c"}]
    assert messages([*head, user()], instructions="a") == [{"role": "system", "content": "a\n\nb\n\nc"}, user()]
    assert messages("Hello", instructions="a") == [{"role": "system", "content": "a"}, user()]
    assert messages("Hello", instructions="") == [user()]


def test_a_developer_in_the_middle_is_the_system_which_every_template_knows() -> None:
    later = messages([user(), {"role": "developer", "content": "x"}])
    assert later == [user(), {"role": "system", "content": "x"}]


def test_a_loop_of_calls_is_an_assistants_message_and_the_tools_answers() -> None:
    said = [
        user("weather?"),
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]},
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Let me see.", "annotations": [], "logprobs": []}],
        },
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}", "status": "completed"},
        {"type": "function_call", "call_id": "c2", "name": "g", "arguments": '{"a":1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "rain"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "noon"}]},
    ]
    asked, called, *results = messages(said)
    assert asked == user("weather?")
    assert (called["role"], called["content"]) == ("assistant", "Let me see.")
    functions = [(call["id"], call["function"]) for call in called["tool_calls"]]
    assert functions == [("c1", {"name": "f", "arguments": "{}"}), ("c2", {"name": "g", "arguments": '{"a":1}'})]
    assert [(each["role"], each["tool_call_id"]) for each in results] == [("tool", "c1"), ("tool", "c2")]


def test_pictures_go_along() -> None:
    url = "data:image/png;base64,AAAA"
    parts = [{"type": "input_text", "text": "What?"}, {"type": "input_image", "image_url": url, "detail": "low"}]
    [sent] = messages([{"role": "user", "content": parts}])
    assert sent["content"][0] == {"type": "text", "text": "What?"}
    assert sent["content"][1] == {"type": "image_url", "image_url": {"url": url, "detail": "low"}}


def test_a_system_prompt_with_a_picture_stays_as_it_is() -> None:
    parts = [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]
    first, head, _ = messages([{"role": "system", "content": parts}, user()], instructions="a")
    assert first == {"role": "system", "content": "a"}
    assert head["content"][0]["type"] == "image_url"


@pytest.mark.parametrize(
    "said", [[5], [{"role": "user"}], [{"type": "no_such_thing"}], [{"role": "user", "content": 5}]]
)
def test_what_is_no_item_is_named(said: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        messages(said)
    assert (refused.value.param or "").startswith("input[0]")


@table(
    ("fields", "sent"),
    [
        ({"max_output_tokens": 9}, {"max_tokens": 9}),
        ({"temperature": 0.5, "top_p": 0.9, "user": "u", "service_tier": "auto", "prompt_cache_key": "k"}, ...),
        ({"seed": 3, "stop": ["a"], "top_k": 5, "x_new_idea": {"y": 1}}, ...),
        ({"model": "m"}, ...),
        ({"store": True, "metadata": {"a": "b"}, "truncation": "auto", "background": False, "max_tool_calls": 3}, {}),
        ({"stream": True, "stream_options": {"include_obfuscation": False}}, {}),
        ({"n": 1}, {}),
        ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning_effort": "low"}),
        ({"reasoning": {"effort": None, "generate_summary": "detailed", "context": "auto"}}, {}),
        ({"text": {"format": {"type": "text"}, "verbosity": "low"}}, {"verbosity": "low"}),
        ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
        ({"text": {"format": None}}, {}),
        ({"include": ["reasoning.encrypted_content", "file_search_call.results"]}, {}),
        ({"include": ["message.output_text.logprobs"]}, {"logprobs": True}),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
        ({"top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
        ({"top_logprobs": 0}, {}),
        (dict.fromkeys(("text", "tools", "reasoning", "instructions", "temperature", "include")), {}),
    ])  # fmt: skip
def test_a_field_goes_by_chats_name_or_says_nothing(fields: dict[str, Any], sent: Any) -> None:
    assert rest(**fields) == (fields if sent is ... else sent)


def test_a_schema_is_named_as_chat_names_it() -> None:
    wanted = {"type": "json_schema", "name": "city", "schema": SCHEMA, "strict": True}
    assert rest(text={"format": wanted}) == {
        "response_format": {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA, "strict": True}}
    }
    [named] = [rest(text={"format": {"type": "json_schema", "schema": SCHEMA}})["response_format"]["json_schema"]]
    assert named == {"name": "response", "schema": SCHEMA}


def test_tools_go_along() -> None:
    sent = rest(tools=[TOOL], tool_choice="auto", parallel_tool_calls=False)
    assert sent["tools"][0]["function"]["name"] == "f"
    assert (sent["tool_choice"], sent["parallel_tool_calls"]) == ("auto", False)


@table(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": 5}, "input"),
        ({"input": []}, "input"),
        ({"instructions": ["a"]}, "instructions"),
        ({"messages": [user()]}, "messages"),
        ({"max_tokens": 5}, "max_tokens"),
        ({"response_format": {"type": "text"}}, "response_format"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "x"}}, "prompt"),
        ({"n": 2}, "n"),
        ({"stop": 5}, "stop"),
        ({"truncation": "sometimes"}, "truncation"),
        ({"truncation": 5}, "truncation"),
        ({"metadata": {"a": 5}}, "metadata.a"),
        ({"store": "yes"}, "store"),
        ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
        ({"stream_options": {"every": 5}}, "stream_options.every"),
        ({"stream_options": 5}, "stream_options"),
        ({"include": "x"}, "include"),
        ({"include": ["everything"]}, "include.0"),
        ({"reasoning": "low"}, "reasoning"),
        ({"reasoning": {"effort": 5}}, "reasoning.effort"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"text": "x"}, "text"),
        ({"text": {"format": "json"}}, "text.format.type"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
        ({"text": {"colour": "red"}}, "text.colour"),
        ({"tools": {"x": 1}}, "tools"),
        ({"tools": [{"type": "web_searches"}]}, "tools.0.type"),
    ],
)
def test_what_cannot_be_done_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        chat(**fields)
    assert refused.value.param == param
    assert f"'{param}'" in refused.value.english
    assert f"'{param}'" in refused.value.japanese


def test_the_callers_fields_are_left_alone() -> None:
    fields = {"input": [user()], "tools": [TOOL], "temperature": None, "text": {"format": {"type": "text"}}}
    before = repr(fields)
    chat_fields("engine", fields, limits_calls=True)
    assert repr(fields) == before


@table(
    ("chats", "ours"),
    [
        ("response_format", "text.format"),
        ("reasoning_effort", "reasoning.effort"),
        ("verbosity", "text.verbosity"),
        ("max_tokens", "max_output_tokens"),
        ("logprobs", "top_logprobs"),
        ("messages.3.content.1.image_url", "input"),
        ("tools", "tools"),
        ("tool_choice", "tool_choice"),
    ],
)
def test_a_refusal_of_the_chats_is_told_in_the_responses_words(chats: str, ours: str) -> None:
    error = renamed(unsupported("triton", chats))
    assert isinstance(error, UnsupportedField)
    assert error.param == ours
    for text in (error.english, error.japanese):
        assert f"'{ours}'" in text
        assert ours == chats or f"'{chats}'" not in text


def test_a_refusal_that_names_no_field_stays_as_it_is() -> None:
    error = InvalidRequest("no", "いいえ")
    assert renamed(error) is error
    assert error.english == "no"


def test_calls_of_every_kind_of_tool_go_on_as_calls_of_functions() -> None:
    agents = {"type": "namespace", "name": "agents", "description": "d", "tools": [TOOL]}
    said = [
        user(),
        {"type": "additional_tools", "role": "developer", "tools": [{"type": "custom", "name": "patch"}]},
        {"type": "function_call", "call_id": "a", "name": "f", "namespace": "agents", "arguments": "{}"},
        {"type": "custom_tool_call", "call_id": "b", "name": "patch", "input": "x"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
        {"type": "custom_tool_call_output", "call_id": "b", "output": "2"},
    ]
    sent = chat(input=said, tools=[TOOL, agents, {"type": "web_search"}], client_metadata={"x": "y"})
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["f", "agents__f", "patch"]
    assert "client_metadata" not in sent
    assert sent["messages"] == [
        user(),
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "agents__f", "arguments": "{}"}},
                {"id": "b", "type": "function", "function": {"name": "patch", "arguments": '{"input":"x"}'}},
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
    ]
