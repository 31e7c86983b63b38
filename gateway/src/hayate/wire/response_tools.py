"""The tools of a response as a chat has them. Functions alone: what OpenAI runs itself (a web search, a shell) nobody runs here,
so it is refused by name.
"""

from __future__ import annotations

from typing import Any, Final

from hayate.errors import InvalidRequest, UnsupportedField
from hayate.wire.refusals import missing, wrong, wrong_value

_OF_FUNCTION: Final = ("name", "description", "parameters", "strict")
_MODES: Final = ("auto", "none", "required")


def put_tools(engine: str, asked: dict[str, Any], chat: dict[str, Any], *, limits_calls: bool) -> None:
    """The functions among the chat's fields, and how they may be called. Raises InvalidRequest, UnsupportedField.

    `limits_calls`: the engine heeds `parallel_tool_calls`.
    """
    tools = [_function(engine, f"tools.{n}", tool) for n, tool in enumerate(asked.get("tools", ()))]
    choice = asked.get("tool_choice", "auto")
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        names = _allowed(choice)
        tools = [tool for tool in tools if tool["function"]["name"] in names]
        choice = choice.get("mode", "auto")
    sent = _choice(engine, choice)
    if not tools:
        if sent not in ("auto", "none"):
            raise InvalidRequest(
                "'tool_choice' demands a tool, and there is none in 'tools'.",
                "'tool_choice' がツールを要求していますが、'tools' にツールがありません。",
                param="tool_choice",
            )
        return
    chat["tools"] = tools
    if "tool_choice" in asked:
        chat["tool_choice"] = sent
    if limits_calls and "parallel_tool_calls" in asked:
        chat["parallel_tool_calls"] = asked["parallel_tool_calls"]


def _function(engine: str, where: str, tool: Any) -> dict[str, Any]:
    if not isinstance(tool, dict):
        raise wrong(where, "an object", "オブジェクト")
    kind = tool.get("type")
    if kind != "function":
        raise _no_function(engine, f"{where}.type", kind)
    if not isinstance(tool.get("name"), str) or not tool["name"]:
        raise missing(f"{where}.name")
    if not isinstance(tool.get("parameters"), dict | None):
        raise wrong(f"{where}.parameters", "a JSON schema", "JSONスキーマ")
    return {"type": "function", "function": {name: tool[name] for name in _OF_FUNCTION if tool.get(name) is not None}}


def _no_function(engine: str, where: str, kind: Any) -> UnsupportedField:
    shown = repr(kind)[:40]
    return UnsupportedField(
        f"The engine behind this model ({engine}) has no tool of the type {shown} ('{where}'): it knows functions, which "
        "the caller runs.",
        f"このモデルのエンジン（{engine}）は {shown} 型のツール（'{where}'）に対応していません。"
        "使えるのは、呼び出し側で実行する関数（function）だけです。",
        param=where,
    )


def _choice(engine: str, choice: Any) -> Any:
    if isinstance(choice, str):
        if choice not in _MODES:
            raise wrong_value(
                "tool_choice", "auto, none, required or a function", "auto、none、required、関数のいずれか", choice
            )
        return choice
    if not isinstance(choice, dict):
        raise wrong("tool_choice", "a string or an object", "文字列またはオブジェクト")
    if choice.get("type") != "function":
        raise _no_function(engine, "tool_choice.type", choice.get("type"))
    if not isinstance(choice.get("name"), str):
        raise missing("tool_choice.name")
    return {"type": "function", "function": {"name": choice["name"]}}


def _allowed(choice: dict[str, Any]) -> set[str]:
    """The names of the functions that may be called."""
    listed = choice.get("tools")
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise wrong("tool_choice.tools", "a list of objects", "オブジェクトのリスト")
    return {each["name"] for each in listed if isinstance(each.get("name"), str)}
