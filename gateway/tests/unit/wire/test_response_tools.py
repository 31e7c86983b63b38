"""A response's tools as a chat has them: functions, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.errors import InvalidRequest, UnsupportedField
from hayate.wire.response_tools import put_tools
from tests.support.tables import table


def function(name: str, **more: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, **more}


def put(limits_calls: bool = True, **asked: Any) -> dict[str, Any]:
    chat: dict[str, Any] = {}
    put_tools("ollama", asked, chat, limits_calls=limits_calls)
    return chat


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


@table("kind", ["web_search", "file_search", "mcp", "custom", "local_shell", None, "x" * 500])
def test_a_tool_that_nobody_runs_here_is_refused_by_name(kind: Any) -> None:
    with pytest.raises(UnsupportedField) as refused:
        put(tools=[function("f"), {"type": kind}])
    assert (refused.value.param, refused.value.code) == ("tools.1.type", "unsupported_parameter")
    for text in (refused.value.english, refused.value.japanese):
        assert "ollama" in text
        assert (kind or "None")[:30] in text
        assert len(text) < 250


@table(
    ("asked", "param"),
    [
        ({"tools": [5]}, "tools.0"),
        ({"tools": [{"type": "function"}]}, "tools.0.name"),
        ({"tools": [function("")]}, "tools.0.name"),
        ({"tools": [function("f", parameters="x")]}, "tools.0.parameters"),
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
