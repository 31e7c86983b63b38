"""The tools of a response as a chat has them: functions, by the names that `tool_names` gives them. A custom tool is a function of
one text, which its description says all about; what a namespace is for is said by its first function.

What OpenAI runs itself (a web search, say), and what its models alone know how to call, nobody has here. Where it is
offered the model does without, and the caller is told; where it is demanded it is refused by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from hayate.errors import InvalidRequest, UnsupportedField
from hayate.wire.freeform import FIELD, arguments_of
from hayate.wire.item_shapes import CALLS, Item, rest_of
from hayate.wire.refusals import missing, wrong, wrong_value
from hayate.wire.tool_names import Called, ToolNames

BUILT_IN: Final = frozenset(
    {
        "apply_patch",
        "code_interpreter",
        "computer",
        "computer_use",
        "computer_use_preview",
        "file_search",
        "image_generation",
        "local_shell",
        "mcp",
        "programmatic_tool_calling",
        "shell",
        "tool_search",
        "web_search",
        "web_search_preview",
    }
)
"""OpenAI's kinds of tools beside functions and custom ones. Some have releases, `web_search_2025_08_26`."""
_RELEASE: Final = re.compile(r"_[0-9]{4}_[0-9]{2}_[0-9]{2}\Z")
_OF_FUNCTION: Final = ("name", "description", "parameters", "strict")
_MODES: Final = ("auto", "none", "required")
_MORE: Final = "additional_tools"
"""An item of the input that offers tools."""


class Offered(NamedTuple):
    """What has become of a response's tools: their names, and the kinds of those that are left out."""

    names: ToolNames
    omitted: tuple[str, ...] = ()


class _Tool(NamedTuple):
    """A function as the chat has it, and what its caller calls it."""

    called: Called
    sent: dict[str, Any]


def put_tools(
    engine: str, asked: dict[str, Any], items: Iterable[Item], chat: dict[str, Any], *, limits_calls: bool
) -> Offered:
    """The functions among the chat's fields, and how they may be called. Raises InvalidRequest, UnsupportedField.

    `items` are the request's input. `limits_calls`: the engine heeds `parallel_tool_calls`.
    """
    names = ToolNames()
    tools: list[_Tool] = []
    left_out: dict[str, str] = {}
    for where, tool in _each(asked, items):
        kind = built_in(tool)
        if kind is not None:
            left_out.setdefault(kind, f"{where}.type")
        else:
            tools += _functions(engine, names, where, tool)
    offered = Offered(names, tuple(left_out))
    choice = asked.get("tool_choice", "auto")
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        tools, left_out = _allowed(choice, names, tools)
        choice = choice.get("mode", "auto")
    sent = _choice(engine, choice, names)
    if not tools:
        if sent not in ("auto", "none"):
            for kind, where in left_out.items():
                raise _no_function(engine, where, kind)
            raise InvalidRequest(
                "'tool_choice' demands a tool, and there is none in 'tools'.",
                "'tool_choice' がツールを要求していますが、'tools' にツールがありません。",
                param="tool_choice",
            )
        return offered
    chat["tools"] = [tool.sent for tool in tools]
    if "tool_choice" in asked:
        chat["tool_choice"] = sent
    if limits_calls and "parallel_tool_calls" in asked:
        chat["parallel_tool_calls"] = asked["parallel_tool_calls"]
    return offered


def built_in(tool: Any) -> str | None:
    """Which of OpenAI's kinds it is, whatever its release; None for any other."""
    said = tool.get("type") if isinstance(tool, dict) else None
    kind = _RELEASE.sub("", said) if isinstance(said, str) else None
    return kind if kind in BUILT_IN else None


def as_functions(items: Iterable[Item], names: ToolNames) -> list[Item]:
    """Items whose calls are of functions alone, as the chat has them."""
    return [_as_function(item, names) if item["type"] in CALLS else item for item in items]


def _as_function(item: Item, names: ToolNames) -> Item:
    custom, namespace = item["type"] == "custom_tool_call", item.get("namespace")
    name = names.of(Called(item["name"], namespace, custom))
    if not custom:
        return item if namespace is None else {**rest_of(item, "namespace"), "name": name}
    call = {"type": "function_call", "call_id": item["call_id"], "name": name, "arguments": arguments_of(item["input"])}
    return {**call, "status": item.get("status", "completed")}


def _each(asked: dict[str, Any], items: Iterable[Item]) -> Iterator[tuple[str, Any]]:
    """Every tool that is offered, and where it stands."""
    for n, tool in enumerate(asked.get("tools", ())):
        yield f"tools.{n}", tool
    for m, item in enumerate(items):
        if item["type"] == _MORE and isinstance(item.get("tools"), list):
            for n, tool in enumerate(item["tools"]):
                yield f"input[{m}].tools.{n}", tool


def _functions(engine: str, names: ToolNames, where: str, tool: Any) -> list[_Tool]:
    """A tool, or all of a namespace."""
    if not isinstance(tool, dict):
        raise wrong(where, "an object", "オブジェクト")
    if tool.get("type") != "namespace":
        return [_function(engine, names, where, tool, None)]
    namespace, inside = _name_of(tool, where), tool.get("tools")
    if not isinstance(inside, list) or not all(isinstance(each, dict) for each in inside):
        raise wrong(f"{where}.tools", "a list of objects", "オブジェクトのリスト")
    found = [_function(engine, names, f"{where}.tools.{n}", each, namespace) for n, each in enumerate(inside)]
    if found and (purpose := _text(tool, "description", where)):
        function = found[0].sent["function"]
        function["description"] = f"[{namespace}: {purpose}]\n{function.get('description', '')}"
    return found


def _function(engine: str, names: ToolNames, where: str, tool: dict[str, Any], namespace: str | None) -> _Tool:
    kind = tool.get("type")
    if kind not in ("function", "custom"):
        raise _no_function(engine, f"{where}.type", kind)
    called = Called(_name_of(tool, where), namespace, kind == "custom")
    if called.custom:
        function = _of_text(tool, where)
    else:
        if not isinstance(tool.get("parameters"), dict | None):
            raise wrong(f"{where}.parameters", "a JSON schema", "JSONスキーマ")
        function = {name: tool[name] for name in _OF_FUNCTION if tool.get(name) is not None}
    return _Tool(called, {"type": "function", "function": {**function, "name": names.add(called)}})


def _of_text(tool: dict[str, Any], where: str) -> dict[str, Any]:
    """A custom tool's function. Nothing holds a model to a grammar here: it is told of it."""
    said, form = _text(tool, "description", where), tool.get("format")
    if not isinstance(form, dict | None):
        raise wrong(f"{where}.format", "an object", "オブジェクト")
    if form is not None and form.get("type") == "grammar":
        syntax, grammar = _text(form, "syntax", f"{where}.format"), _text(form, "definition", f"{where}.format")
        said = f"{said}\n\n'{FIELD}' follows this grammar ({syntax}):\n{grammar}"
    text = {"type": "string", "description": "All of the tool's input, as plain text."}
    schema = {"type": "object", "properties": {FIELD: text}, "required": [FIELD], "additionalProperties": False}
    return {**({"description": said} if said else {}), "parameters": schema}


def _name_of(tool: dict[str, Any], where: str) -> str:
    name = tool.get("name")
    if not isinstance(name, str) or not name:
        raise missing(f"{where}.name")
    return name


def _text(holder: dict[str, Any], name: str, where: str) -> str:
    text = holder.get(name)
    if not isinstance(text, str | None):
        raise wrong(f"{where}.{name}", "a string", "文字列")
    return text or ""


def _no_function(engine: str, where: str, kind: Any) -> UnsupportedField:
    shown = repr(kind)[:40]
    return UnsupportedField(
        f"The engine behind this model ({engine}) has no tool of the type {shown} ('{where}'): it knows functions, which "
        "the caller runs.",
        f"このモデルのエンジン（{engine}）は {shown} 型のツール（'{where}'）に対応していません。"
        "使えるのは、呼び出し側で実行する関数（function）だけです。",
        param=where,
    )


def _choice(engine: str, choice: Any, names: ToolNames) -> Any:
    if isinstance(choice, str):
        if choice not in _MODES:
            raise wrong_value(
                "tool_choice", "auto, none, required or a function", "auto、none、required、関数のいずれか", choice
            )
        return choice
    if not isinstance(choice, dict):
        raise wrong("tool_choice", "a string or an object", "文字列またはオブジェクト")
    if choice.get("type") not in ("function", "custom"):
        raise _no_function(engine, "tool_choice.type", choice.get("type"))
    if not isinstance(choice.get("name"), str):
        raise missing("tool_choice.name")
    return {"type": "function", "function": {"name": _chosen(choice, names)}}


def _chosen(choice: dict[str, Any], names: ToolNames) -> str:
    """The chat's name of a tool that a choice names; of a namespace it may say the name alone."""
    namespace = choice.get("namespace")
    called = Called(choice["name"], namespace if isinstance(namespace, str) else None, choice.get("type") == "custom")
    return names.of(called) if namespace else names.of(names.called(names.of(called)))


def _allowed(choice: dict[str, Any], names: ToolNames, tools: list[_Tool]) -> tuple[list[_Tool], dict[str, str]]:
    """The tools that may be called; of those that nobody has here, each kind and where it is said."""
    listed = choice.get("tools")
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise wrong("tool_choice.tools", "a list of objects", "オブジェクトのリスト")
    left_out = {kind: f"tool_choice.tools.{n}.type" for n, each in enumerate(listed) if (kind := built_in(each))}
    named = [each for each in listed if isinstance(each.get("name"), str)]
    whole = {each["name"] for each in named if each.get("type") == "namespace"}
    ones = {_chosen(each, names) for each in named if each.get("type") != "namespace"}
    return [tool for tool in tools if tool.called.namespace in whole or tool.sent["function"]["name"] in ones], left_out
