"""OpenAI's requests as Ollama's own API takes them: /api/chat and /api/generate.

Its OpenAI-compatible endpoint is not used, because there the context can't be set and a longer prompt is silently cut
in half. Here `num_ctx` is always sent, and `truncate` and `shift` are always false, so a prompt that does not fit is an
error.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from hayate.errors import InvalidRequest
from hayate.wire.fields import limit_to_send, one_prompt, stop_strings, taken, text_of, unsupported

ENGINE: Final = "ollama"
_OPTIONS: Final = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "repetition_penalty": "repeat_penalty",
}
_BOTH: Final = frozenset(
    {"model", "stream", "stream_options", "stop", "max_tokens", "think", "reasoning_effort", *_OPTIONS}
)
_CHAT: Final = _BOTH | {
    "messages",
    "max_completion_tokens",
    "tools",
    "tool_choice",
    "response_format",
    "logprobs",
    "top_logprobs",
}
_GENERATE: Final = _BOTH | {"prompt", "suffix", "logprobs"}
_EFFORTS: Final[dict[str, bool | str]] = {
    "none": False,
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
}
_ROLES: Final = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}


def chat_body(fields: dict[str, Any], *, model: str, num_ctx: int) -> dict[str, Any]:
    """The body for /api/chat. Raises UnsupportedField and InvalidRequest."""
    asked = taken(ENGINE, fields, _CHAT)
    body = _body(asked, model, num_ctx)
    body["messages"] = _messages(asked["messages"])
    tools, choice = asked.get("tools"), asked.get("tool_choice", "auto")
    if choice not in ("auto", "none"):
        raise unsupported(
            ENGINE, "tool_choice", "it knows 'auto' and 'none' only", "'auto' と 'none' だけに対応しています"
        )
    if tools and choice == "auto":
        body["tools"] = tools
    if "response_format" in asked:
        _set_format(body, asked["response_format"])
    if asked.get("logprobs"):
        body["logprobs"] = True
        body["top_logprobs"] = asked.get("top_logprobs", 0)
    return body


def generate_body(fields: dict[str, Any], *, model: str, num_ctx: int) -> dict[str, Any]:
    """The body for /api/generate. The prompt is sent as it is, past the model's chat template, as completions are elsewhere."""
    asked = taken(ENGINE, fields, _GENERATE)
    body = _body(asked, model, num_ctx)
    body["prompt"] = one_prompt(ENGINE, asked["prompt"])
    if asked.get("suffix"):
        body["suffix"] = asked["suffix"]  # the model's template knows how to fill in the middle
    else:
        body["raw"] = True
    if "logprobs" in asked and asked["logprobs"] is not False:
        if asked["logprobs"] < 0:
            raise unsupported(ENGINE, "logprobs", "it knows no 'all of them'", "「すべて」の指定はできません")
        body["logprobs"] = True
        body["top_logprobs"] = int(asked["logprobs"])
    return body


def _body(asked: dict[str, Any], model: str, num_ctx: int) -> dict[str, Any]:
    options: dict[str, Any] = {"num_ctx": num_ctx}
    options.update({theirs: asked[ours] for ours, theirs in _OPTIONS.items() if ours in asked})
    if stops := stop_strings(asked):
        options["stop"] = stops
    if (limit := limit_to_send(asked)) is not None:
        options["num_predict"] = limit
    body: dict[str, Any] = {"model": model, "stream": True, "truncate": False, "shift": False, "options": options}
    if "think" in asked:
        body["think"] = asked["think"]
    elif "reasoning_effort" in asked:
        effort = asked["reasoning_effort"]
        if effort not in _EFFORTS:
            raise InvalidRequest(
                f"'reasoning_effort' must be one of {', '.join(_EFFORTS)} here.",
                f"'reasoning_effort' は {', '.join(_EFFORTS)} のいずれかにしてください。",
                param="reasoning_effort",
            )
        body["think"] = _EFFORTS[effort]
    return body


def _set_format(body: dict[str, Any], wanted: Any) -> None:
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "json_object":
        body["format"] = "json"
    elif kind == "json_schema":
        named = wanted.get("json_schema")
        schema = named.get("schema") if isinstance(named, dict) else None
        if not isinstance(schema, dict):
            raise InvalidRequest(
                "'response_format.json_schema.schema' must be a JSON schema.",
                "'response_format.json_schema.schema' はJSONスキーマにしてください。",
                param="response_format",
            )
        body["format"] = schema
    elif kind != "text":
        raise unsupported(ENGINE, "response_format", f"its type is {str(kind)[:40]!r}")


def _messages(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names: dict[str, str] = {}
    return [_message(f"messages.{n}", message, names) for n, message in enumerate(messages)]


def _message(where: str, message: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """One message. `names` remembers which tool each call's id meant: Ollama matches a tool's answer by the tool's name."""
    role = _ROLES.get(message["role"])
    if role is None:
        raise unsupported(ENGINE, f"{where}.role", f"the role {message['role'][:40]!r} is unknown to it")
    content, images = _content(where, message.get("content"))
    sent: dict[str, Any] = {"role": role, "content": content}
    if images:
        sent["images"] = images
    if thought := message.get("reasoning_content") or message.get("reasoning"):
        sent["thinking"] = thought
    if calls := message.get("tool_calls"):
        sent["tool_calls"] = [_call(f"{where}.tool_calls.{n}", call, names) for n, call in enumerate(calls)]
    if role == "tool":
        call_id = str(message.get("tool_call_id") or "")
        sent["tool_call_id"] = call_id
        if name := message.get("name") or names.get(call_id):
            sent["tool_name"] = name
    return sent


def _call(where: str, call: Any, names: dict[str, str]) -> dict[str, Any]:
    """A tool call of the history: OpenAI writes its arguments as JSON text, Ollama takes an object."""
    function = call.get("function") if isinstance(call, dict) else None
    try:
        arguments = orjson.loads(function["arguments"] or "{}") if isinstance(function, dict) else None
    except (orjson.JSONDecodeError, KeyError):
        arguments = None
    if not isinstance(function, dict) or not isinstance(arguments, dict):
        raise InvalidRequest(
            f"'{where}.function.arguments' must be a JSON object as a string.",
            f"'{where}.function.arguments' はJSONオブジェクトの文字列にしてください。",
            param=where,
        )
    name = str(function.get("name", ""))
    call_id = str(call.get("id") or "")
    names[call_id] = name
    return {"id": call_id, "function": {"name": name, "arguments": arguments}}


def _content(where: str, content: Any) -> tuple[str, list[str]]:
    """The text, and the images as bare base64."""
    if not isinstance(content, list):
        return text_of(ENGINE, where, content), []
    images = []
    for n, part in enumerate(content):
        if part.get("type") == "image_url":
            images.append(_image(f"{where}.content.{n}.image_url", part.get("image_url")))
    return text_of(ENGINE, where, [part for part in content if part.get("type") != "image_url"]), images


def _image(where: str, value: Any) -> str:
    url = value.get("url") if isinstance(value, dict) else value
    head, comma, data = url.partition(",") if isinstance(url, str) else ("", "", "")
    if not comma or not head.lower().startswith("data:") or not head.lower().endswith(";base64"):
        raise InvalidRequest(
            f"'{where}' must be a data: URL with base64 data.",
            f"'{where}' はbase64データの`data:` URLにしてください。",
            param=where,
        )
    return str(data)
