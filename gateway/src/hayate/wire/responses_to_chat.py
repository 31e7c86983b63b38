"""A request for a response as a chat's, for engines that have chat alone: `input` and `instructions` as messages, functions as
chat has them, and the other fields under the names by which chat calls them.

State is no part of it: what a conversation holds stands in `input` already. The rule for fields is that of `fields`: what
changes the answer reaches the engine or is refused by name. Fields that only engines know pass as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hayate.errors import InvalidRequest
from hayate.language import Text
from hayate.wire.caps import RISKY_FIELDS, Caps
from hayate.wire.chat_items import messages_of
from hayate.wire.fields import unsupported
from hayate.wire.metadata import check_metadata
from hayate.wire.refusals import missing, wrong, wrong_value
from hayate.wire.response_items import items_of_input
from hayate.wire.response_tools import Offered, as_functions, put_tools
from hayate.wire.validation import check_sampling

_HERE: Final = frozenset(
    {
        "background",
        "client_metadata",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "parallel_tool_calls",
        "reasoning",
        "store",
        "stream",
        "stream_options",
        "text",
        "tool_choice",
        "tools",
        "truncation",
    }
)
"""What is read here, or says nothing to an engine; whatever else is set goes to it under the same name."""
_OTHER_NAMES: Final = {
    "functions": "tools",
    "function_call": "tool_choice",
    "logprobs": "top_logprobs",
    "max_completion_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "messages": "input",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
    "verbosity": "text.verbosity",
}
"""What chat calls otherwise: a response has the second."""
_ONE_ANSWER: Final = ("n", "best_of")
_ELSEWHERE: Final = ("conversation", "previous_response_id", "prompt")
_INCLUDED: Final = frozenset(
    {
        "code_interpreter_call.outputs",
        "computer_call_output.output.image_url",
        "file_search_call.results",
        "message.input_image.image_url",
        "message.output_text.logprobs",
        "reasoning.encrypted_content",
        "web_search_call.action.sources",
        "web_search_call.results",
    }
)
"""What may be asked for beside the answer; all but the log probabilities belongs to tools that no engine here has, or to OpenAI."""
_LOGPROBS: Final = "message.output_text.logprobs"
_REASONING: Final[Mapping[str, tuple[Any, ...]]] = {"context": ("auto", "current_turn"), "mode": ("standard",)}
"""Of `reasoning`, what asks for nothing."""
_SUMMARIES: Final = ("summary", "generate_summary")
_CHECKED: Final = Caps(allow_fields=frozenset(RISKY_FIELDS))
"""What the operator allows has been looked at before; here it is only whether a field is what it should be."""


def chat_fields(engine: str, fields: dict[str, Any], *, limits_calls: bool) -> tuple[dict[str, Any], Offered]:
    """The fields of a chat whose answer is the response, and what has become of the tools; neither the model nor whether it is
    streamed is among the fields.

    `limits_calls`: the engine heeds `parallel_tool_calls`. Raises InvalidRequest and UnsupportedField, in the names of the
    response's fields.
    """
    asked = {name: value for name, value in fields.items() if value is not None}
    for name, other in _OTHER_NAMES.items():
        if name in asked:
            raise InvalidRequest(
                f"'{name}' is not a field of /v1/responses: it is '{other}' there.",
                f"/v1/responses に '{name}' という項目はありません。'{other}' を使ってください。",
                param=name,
            )
    for name in (*_ELSEWHERE, *(each for each in _ONE_ANSWER if asked.get(each) != 1)):
        if name in asked:
            raise unsupported(engine, name)
    check_said_again(asked)
    chat = {name: value for name, value in asked.items() if name not in _HERE and name not in _ONE_ANSWER}
    if "input" not in asked:
        raise missing("input")
    items = items_of_input(asked["input"])
    offered = put_tools(engine, asked, items, chat, limits_calls=limits_calls)
    chat["messages"] = _messages(messages_of(as_functions(items, offered.names)), asked.get("instructions"))
    if "max_output_tokens" in asked:
        chat["max_tokens"] = asked["max_output_tokens"]
    _put_text(engine, asked.get("text", {}), chat)
    _put_reasoning(engine, asked.get("reasoning", {}), chat)
    _put_logprobs(asked, chat)
    check_sampling(chat, _CHECKED)
    return chat, offered


def renamed(error: InvalidRequest) -> InvalidRequest:
    """An adapter's refusal of a chat's field, in the words of the response that was asked for."""
    name, dot, inside = (error.param or "").partition(".")
    other = _OTHER_NAMES.get(name)
    if other is None:
        return error
    param = other if name == "messages" else f"{other}{dot}{inside}"
    old, new = f"'{error.param}'", f"'{param}'"
    error.texts = Text(error.english.replace(old, new), error.japanese.replace(old, new))
    error.param = param
    return error


def check_said_again(asked: dict[str, Any]) -> None:
    """Fields that the response says again: each must be what it should be there. Raises InvalidRequest."""
    for name, (kind, wanted, wanted_ja) in _KINDS.items():
        if name in asked and type(asked[name]) is not kind:
            raise wrong(name, wanted, wanted_ja)
    if asked.get("truncation", "auto") not in ("auto", "disabled"):
        raise wrong_value("truncation", "'auto' or 'disabled'", "'auto' か 'disabled'", asked["truncation"])
    check_metadata(asked.get("metadata"))
    for name in asked.get("stream_options", ()):
        if name not in ("include_obfuscation", "include_usage"):
            raise InvalidRequest(
                f"There is no 'stream_options.{name[:40]}' here.",
                f"'stream_options.{name[:40]}' という項目はありません。",
                param=f"stream_options.{name[:40]}",
            )


_OBJECT: Final = (dict, "an object", "オブジェクト")
_TEXT: Final = (str, "a string", "文字列")
_BOOL: Final = (bool, "true or false", "trueかfalse")
_KINDS: Final[Mapping[str, tuple[type, str, str]]] = {
    "instructions": _TEXT,
    "parallel_tool_calls": _BOOL,
    "prompt_cache_key": _TEXT,
    "reasoning": _OBJECT,
    "safety_identifier": _TEXT,
    "service_tier": _TEXT,
    "store": _BOOL,
    "stream_options": _OBJECT,
    "text": _OBJECT,
    "tools": (list, "a list of objects", "オブジェクトのリスト"),
    "truncation": _TEXT,
    "user": _TEXT,
}


def _messages(messages: list[dict[str, Any]], instructions: str | None) -> list[dict[str, Any]]:
    """The conversation. What stands before it becomes one message of the system's: many models' templates know no other."""
    head = 0
    while head < len(messages) and messages[head]["role"] in _SYSTEM and _words(messages[head]) is not None:
        head += 1
    first = [_words(each) or "" for each in messages[:head]]
    if instructions:
        first.insert(0, instructions)
    rest = [{**each, "role": "system"} if each["role"] == "developer" else each for each in messages[head:]]
    if not messages:
        raise InvalidRequest(
            "'input' says nothing to answer; send at least one message.",
            "'input' に回答すべきメッセージがありません。1つ以上送ってください。",
            param="input",
        )
    return [{"role": "system", "content": "\n\n".join(first)}, *rest] if first else rest


_SYSTEM: Final = ("system", "developer")


def _words(message: dict[str, Any]) -> str | None:
    """A message's content, if it is text alone."""
    content = message.get("content")
    if not isinstance(content, list):
        return content if isinstance(content, str) else None
    texts = [part.get("text") for part in content if part.get("type") == "text"]
    return "\n".join(map(str, texts)) if len(texts) == len(content) else None


def _put_text(engine: str, text: dict[str, Any], chat: dict[str, Any]) -> None:
    for name, value in text.items():
        if name == "verbosity":
            chat["verbosity"] = value
        elif name != "format" and value is not None:
            raise unsupported(engine, f"text.{name[:40]}")
    wanted = text.get("format")
    if wanted is None:
        return
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "json_object":
        chat["response_format"] = {"type": kind}
    elif kind == "json_schema":
        if not isinstance(wanted.get("schema"), dict):
            raise InvalidRequest(
                "'text.format.schema' must be a JSON schema.",
                "'text.format.schema' はJSONスキーマにしてください。",
                param="text.format.schema",
            )
        named = {name: wanted[name] for name in ("schema", "strict", "description") if wanted.get(name) is not None}
        chat["response_format"] = {"type": kind, "json_schema": {"name": wanted.get("name") or "response", **named}}
    elif kind != "text":
        raise wrong_value(
            "text.format.type", "text, json_schema or json_object", "text、json_schema、json_object", kind
        )


def _put_reasoning(engine: str, reasoning: dict[str, Any], chat: dict[str, Any]) -> None:
    for name, value in reasoning.items():
        if value is None or name in _SUMMARIES:  # no engine sums up: its reasoning is told as it is
            continue
        if name == "effort":
            if not isinstance(value, str):
                raise wrong_value("reasoning.effort", "a string such as 'low'", "'low' などの文字列", value)
            chat["reasoning_effort"] = value
        elif value not in _REASONING.get(name, ()):
            raise unsupported(engine, f"reasoning.{name[:40]}")


def _put_logprobs(asked: dict[str, Any], chat: dict[str, Any]) -> None:
    include = asked.get("include", [])
    if not isinstance(include, list):
        raise wrong("include", "a list of strings", "文字列のリスト")
    for n, each in enumerate(include):
        if each not in _INCLUDED:
            raise wrong_value(f"include.{n}", "one of OpenAI's names", "OpenAIが定める名前のいずれか", each)
    if _LOGPROBS in include or chat.get("top_logprobs"):
        chat["logprobs"] = True
    else:
        chat.pop("top_logprobs", None)
