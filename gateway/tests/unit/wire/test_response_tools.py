"""A response's tools as a chat has them: functions, and no others."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import pytest

from hayate.errors import InvalidRequest, UnsupportedField
from hayate.wire.item_shapes import Item, message
from hayate.wire.response_tools import Offered, as_functions, put_tools
from hayate.wire.tool_names import Called
from tests.support.tables import table


def function(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, **more}


def custom(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "custom", "name": name, **more}


def namespace(name: str, *tools: Any, **more: Any) -> dict[str, Any]:
    return {"type": "namespace", "name": name, "tools": [*tools], **more}


def offered(items: Iterable[Item] = (), limits_calls: bool = True, **asked: Any) -> tuple[dict[str, Any], Offered]:
    chat: dict[str, Any] = {}
    return chat, put_tools("ollama", asked, items, chat, limits_calls=limits_calls)


def put(limits_calls: bool = True, **asked: Any) -> dict[str, Any]:
    return offered(limits_calls=limits_calls, **asked)[0]


def names(sent: dict[str, Any]) -> list[str]:
    return [tool["function"]["name"] for tool in sent["tools"]]


def test_a_function_stands_in_a_member_of_its_own_and_null_is_not_set() -> None:
    parameters = {"type": "object"}
    sent = put(tools=[function("f", description="d", parameters=parameters, strict=True), function("g", strict=None)])
    assert sent == {
        "tools": [
            {
                "type": "function",
                "function": {"name": "f", "description": "d", "parameters": parameters, "strict": True},
            },
            {"type": "function", "function": {"name": "g"}},
        ]
    }


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
    ],
)
def test_a_choice_is_chats(choice: Any, sent: Any) -> None:
    assert put(tools=[function("f")], tool_choice=choice)["tool_choice"] == sent


def test_allowed_tools_are_the_only_ones_that_the_model_hears_of() -> None:
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [function("g")]}
    sent = put(tools=[function("f"), function("g")], tool_choice=allowed)
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["g"]
    assert sent["tool_choice"] == "required"


def test_without_tools_nothing_is_said_of_them() -> None:
    assert put(tools=[], tool_choice="auto", parallel_tool_calls=False) == {}
    assert put(tool_choice="none") == {}


def test_who_heeds_no_limit_of_calls_is_not_asked_for_one() -> None:
    asked: dict[str, Any] = {"tools": [function("f")], "parallel_tool_calls": False}
    assert put(**asked)["parallel_tool_calls"] is False
    assert "parallel_tool_calls" not in put(limits_calls=False, **asked)


def test_a_function_of_a_namespace_has_both_names_and_the_first_says_what_they_are_for() -> None:
    agents = namespace("agents", function("spawn", description="d"), function("close"), description="Others.")
    chat, tools = offered(tools=[function("spawn"), agents, namespace("mcp__demo", function("f"))])
    assert names(chat) == ["spawn", "agents__spawn", "agents__close", "mcp__demo__f"]
    said = [tool["function"].get("description") for tool in chat["tools"]]
    assert said == [None, "[agents: Others.]\nd", None, None]
    assert tools.names.called("agents__spawn") == Called("spawn", "agents")


def test_a_custom_tool_is_a_function_of_one_text_that_tells_its_grammar() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: x"}
    chat, tools = offered(
        tools=[custom("patch", description="d", format=grammar), custom("say", format={"type": "text"})]
    )
    patch, say = (tool["function"] for tool in chat["tools"])
    assert patch["parameters"]["required"] == ["input"]
    assert patch["parameters"]["properties"]["input"]["type"] == "string"
    assert (patch["description"][0], patch["description"][-8:]) == ("d", "start: x")
    assert "lark" in patch["description"]
    assert "description" not in say
    assert tools.names.called("patch") == Called("patch", custom=True)
    assert names(put(tools=[namespace("functions", custom("exec"))])) == ["exec"]


def test_tools_that_an_item_offers_are_offered_too() -> None:
    items = [message("user", "x"), {"type": "additional_tools", "role": "developer", "tools": [function("g")]}]
    assert names(offered(items, tools=[function("f")])[0]) == ["f", "g"]
    with pytest.raises(InvalidRequest) as refused:
        offered([*items, {"type": "additional_tools", "tools": [{"type": "x"}]}])
    assert refused.value.param == "input[2].tools.0.type"


@table("kind", ["web_search", "web_search_preview_2025_03_11", "file_search", "mcp", "local_shell", "tool_search"])
def test_what_nobody_has_here_is_left_out_and_told_where_it_is_only_offered(kind: str) -> None:
    told = (kind.removesuffix("_2025_03_11"),)
    chat, tools = offered(tools=[{"type": kind, "name": "x"}, function("f"), {"type": kind}], tool_choice="required")
    assert (names(chat), tools.omitted) == (["f"], told)
    chat, tools = offered(tools=[{"type": kind}])
    assert (chat, tools.omitted) == ({}, told)
    allowed = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": kind}]}
    assert offered(tools=[{"type": kind}, function("f")], tool_choice=allowed)[0] == {}


@table(
    ("asked", "param"),
    [
        ({"tools": [{"type": "web_search"}], "tool_choice": "required"}, "tools.0.type"),
        ({"tools": [function("f"), {"type": "web_search"}], "tool_choice": {"type": "web_search"}}, "tool_choice.type"),
        (
            {
                "tools": [function("f"), {"type": "web_search"}],
                "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [{"type": "web_search"}]},
            },
            "tool_choice.tools.0.type",
        ),
    ],
)
def test_what_nobody_has_here_is_refused_by_name_where_it_is_demanded(asked: dict[str, Any], param: str) -> None:
    with pytest.raises(UnsupportedField) as refused:
        put(**asked)
    assert refused.value.param == param
    assert "'web_search'" in refused.value.english


def test_however_many_kinds_and_names_are_sent_it_costs_time_by_their_number() -> None:
    def spent(count: int) -> float:
        tools = [namespace(f"a{chr(0x4E00 + n)}", function("f")) for n in range(count)]
        tools += [{"type": f"web_search_{n:04}_01_01"} for n in range(count)]
        began = time.process_time()
        assert offered(tools=tools)[1].omitted == ("web_search",)
        return time.process_time() - began

    short = min(spent(500) for _ in range(3))
    assert min(spent(2000) for _ in range(3)) < 4 * short * 3


@table(
    ("choice", "name"),
    [
        ({"type": "function", "name": "spawn"}, "agents__spawn"),
        ({"type": "function", "name": "f", "namespace": "agents"}, "agents__f"),
        ({"type": "function", "name": "f"}, "f"),
        ({"type": "function", "name": "agents__spawn"}, "agents__spawn"),
        ({"type": "custom", "name": "patch"}, "patch"),
        ({"type": "function", "name": "unknown"}, "unknown"),
    ],
)
def test_a_choice_may_name_any_of_them(choice: dict[str, Any], name: str) -> None:
    tools = [function("f"), namespace("agents", function("f"), function("spawn")), custom("patch")]
    assert put(tools=tools, tool_choice=choice)["tool_choice"]["function"]["name"] == name


def test_allowed_tools_may_be_all_of_a_namespace() -> None:
    tools = [function("f"), namespace("agents", function("f"), function("spawn")), custom("patch")]
    allowed = {"type": "allowed_tools", "tools": [{"type": "namespace", "name": "agents"}, custom("patch")]}
    assert names(put(tools=tools, tool_choice=allowed)) == ["agents__f", "agents__spawn", "patch"]


def test_calls_that_were_made_have_the_names_that_the_tools_have() -> None:
    call = {"type": "function_call", "call_id": "a", "name": "spawn", "namespace": "agents", "arguments": "{}"}
    text = {"type": "custom_tool_call", "call_id": "b", "name": "patch", "input": 'a"b', "status": "incomplete"}
    _, tools = offered(tools=[function("agents__spawn"), namespace("agents", function("spawn")), custom("patch")])
    assert as_functions([message("user", "x"), call, text], tools.names) == [
        message("user", "x"),
        {"type": "function_call", "call_id": "a", "name": "agents__spawn_2", "arguments": "{}"},
        {
            "type": "function_call",
            "call_id": "b",
            "name": "patch",
            "arguments": '{"input":"a\\"b"}',
            "status": "incomplete",
        },
    ]


@table("kind", ["web_searches", "web_search_2025", "functoin", None, ["web_search"], "x" * 500])
def test_what_is_no_kind_of_tool_is_refused_by_name(kind: Any) -> None:
    with pytest.raises(UnsupportedField) as refused:
        put(tools=[function("f"), {"type": kind}])
    assert (refused.value.param, refused.value.code) == ("tools.1.type", "unsupported_parameter")
    for text in (refused.value.english, refused.value.japanese):
        assert "ollama" in text
        assert str(kind)[:30] in text
        assert len(text) < 250


@table(
    ("asked", "param"),
    [
        ({"tools": [5]}, "tools.0"),
        ({"tools": [{"type": "function"}]}, "tools.0.name"),
        ({"tools": [function("")]}, "tools.0.name"),
        ({"tools": [function("f", parameters="x")]}, "tools.0.parameters"),
        ({"tools": [custom("")]}, "tools.0.name"),
        ({"tools": [custom("f", description=5)]}, "tools.0.description"),
        ({"tools": [custom("f", format="lark")]}, "tools.0.format"),
        ({"tools": [custom("f", format={"type": "grammar", "definition": 5})]}, "tools.0.format.definition"),
        ({"tools": [namespace("")]}, "tools.0.name"),
        ({"tools": [{"type": "namespace", "name": "n"}]}, "tools.0.tools"),
        ({"tools": [namespace("n", 5)]}, "tools.0.tools"),
        ({"tools": [namespace("n", {"type": "mcp"})]}, "tools.0.tools.0.type"),
        ({"tools": [namespace("n", function("f", parameters=5))]}, "tools.0.tools.0.parameters"),
        ({"tools": [namespace("n", function("f"), description=5)]}, "tools.0.description"),
        ({"tools": [function("f")], "tool_choice": "always"}, "tool_choice"),
        ({"tools": [function("f")], "tool_choice": 5}, "tool_choice"),
        ({"tools": [function("f")], "tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"tools": [function("f")], "tool_choice": {"type": "mcp"}}, "tool_choice.type"),
        ({"tools": [function("f")], "tool_choice": {"type": "allowed_tools", "tools": 5}}, "tool_choice.tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        (
            {"tools": [function("f")], "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": []}},
            "tool_choice",
        ),
    ],
)
def test_what_is_no_tool_and_no_choice_is_named(asked: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        put(**asked)
    assert refused.value.param == param
    assert f"'{param}'" in refused.value.english
