"""What a request body must be before it may reach an engine: one reading, one verdict, the field named.

Engines disagree on nonsense (llama.cpp takes a temperature of -1, no messages at all, any max_tokens), some of it costs a GPU,
and a few fields can hurt the engine or make it fetch what a stranger names. So the shape is checked here, for all engines
alike; what is not listed passes untouched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from hayate.errors import InvalidRequest
from hayate.wire.image_hosts import NO_HOSTS, ImageHosts

MAX_DEPTH = 128
MAX_STOPS = 16


@dataclass(frozen=True, slots=True)
class Caps:
    """How far fields that cost or endanger the engine may go. `allow_fields` lifts the refusal of the named ones."""

    max_n: int = 4
    max_output_tokens: int | None = None
    max_media_bytes: int = 8 * 1024 * 1024
    allow_fields: frozenset[str] = frozenset()
    image_hosts: ImageHosts = NO_HOSTS


RISKY_FIELDS = {
    "chat_template": "a template of the caller's runs inside the engine",
    "chat_template_kwargs": "its values run inside the engine's template",
    "prompt_embeds": "raw tensors are loaded by the engine",
    "mm_processor_kwargs": "its values reach the engine's image processor",
    "media_io_kwargs": "its values reach the engine's media loader",
    "api_base": "requests go only where the operator's configuration says",
    "base_url": "requests go only where the operator's configuration says",
    "id_slot": "slots belong to the engine",
    "kv_transfer_params": "it steers the engine's own network traffic",
    "lora_path": "it makes the engine read a path of the caller's",
    "mcp_servers": "the engine would connect where the caller names",
}
MEDIA = ("image_url", "video_url", "audio_url", "file_url", "input_audio", "file", "image", "video", "audio")
EMBEDDINGS = ("image_embeds", "audio_embeds", "video_embeds")


_RISKY_NAMES = frozenset(RISKY_FIELDS)


def parse_object(body: bytes) -> dict[str, Any]:
    """The body as a JSON object. Raises InvalidRequest; never anything else, whatever the bytes."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if not body.strip():
            raise InvalidRequest(
                "The request body is empty; send a JSON object.",
                "リクエスト本文が空です。JSONオブジェクトを送ってください。",
            ) from None
        raise InvalidRequest(
            f"The request body is not valid JSON: {error}.", f"リクエスト本文が正しいJSONではありません: {error}"
        ) from None
    if not isinstance(value, dict):
        raise InvalidRequest(
            f"The request body is {_named(value)}; send a JSON object.",
            "リクエスト本文がJSONオブジェクトではありません。オブジェクト（{ … }）を送ってください。",
        )
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise InvalidRequest(
            f"The request body is nested deeper than {MAX_DEPTH} levels.",
            f"リクエスト本文の入れ子が{MAX_DEPTH}段を超えています。",
        )
    return value


def check_chat(fields: dict[str, Any], caps: Caps) -> None:
    """POST /v1/chat/completions. Raises InvalidRequest."""
    _check_messages(fields.get("messages"), caps)
    check_sampling(fields, caps)
    tools = fields.get("tools")
    if tools is not None and (not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools)):
        raise _wrong("tools", "a list of objects", "オブジェクトのリスト")
    check_tools(tools)


def check_completion(fields: dict[str, Any], caps: Caps) -> None:
    """POST /v1/completions. Raises InvalidRequest."""
    prompt = fields.get("prompt")
    if prompt is None and "prompt_embeds" not in fields:
        raise InvalidRequest("'prompt' is missing.", "'prompt' がありません。", param="prompt")
    if not isinstance(prompt, str | list | None):
        raise _wrong("prompt", "a string or a list", "文字列またはリスト")
    check_sampling(fields, caps)


def check_sampling(fields: dict[str, Any], caps: Caps) -> None:
    """The fields that chat and text completions share."""
    check_risky(fields, caps)
    for name, value in fields.items():
        check = _SAMPLING.get(name)
        if check is not None and value is not None:
            check(name, value, caps)
    if fields.get("stream_options") is not None and not fields.get("stream"):
        raise InvalidRequest(
            "'stream_options' goes with 'stream': true only.",
            "'stream_options' は 'stream': true のときだけ使えます。",
            param="stream_options",
        )


def check_risky(fields: dict[str, Any], caps: Caps) -> None:
    """Refuses the fields that an operator must allow by name."""
    if _RISKY_NAMES.isdisjoint(fields):
        return
    for name in _RISKY_NAMES.intersection(fields):
        if fields[name] is not None and name not in caps.allow_fields:
            raise InvalidRequest(
                f"'{name}' is not accepted here: {RISKY_FIELDS[name]}. The operator can allow it (safety.allow_fields).",
                f"'{name}' はここでは受け付けません。管理者が safety.allow_fields で許可できます。",
                param=name,
            )


def _check_messages(messages: Any, caps: Caps) -> None:
    if messages is None:
        raise InvalidRequest(
            '\'messages\' is missing: a list such as [{"role":"user","content":"…"}].',
            '\'messages\' がありません。[{"role":"user","content":"…"}] のようなリストを送ってください。',
            param="messages",
        )
    if not isinstance(messages, list):
        raise _wrong("messages", "a list", "リスト")
    if not messages:
        raise InvalidRequest(
            "'messages' is empty; send at least one message.",
            "'messages' が空です。メッセージを1つ以上送ってください。",
            param="messages",
        )
    for n, message in enumerate(messages):
        where = f"messages.{n}"
        if not isinstance(message, dict):
            raise _wrong(where, "an object with 'role' and 'content'", "'role' と 'content' を持つオブジェクト")
        role = message.get("role")
        if not isinstance(role, str) or not role:
            raise _wrong(f"{where}.role", "a string such as 'user'", "'user' などの文字列")
        content = message.get("content")
        if isinstance(content, list):
            _check_parts(f"{where}.content", content, caps)
        elif not isinstance(content, str) and not (content is None and role == "assistant"):
            raise _wrong(f"{where}.content", "a string or a list of parts", "文字列またはパーツのリスト")


def _check_parts(where: str, parts: list[Any], caps: Caps) -> None:
    for n, part in enumerate(parts):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise _wrong(f"{where}.{n}", "an object with 'type'", "'type' を持つオブジェクト")
        check_media(f"{where}.{n}", part, caps)


def check_media(where: str, part: dict[str, Any], caps: Caps) -> None:
    """Media must come inside the request: the engine would fetch any other URL from inside the operator's network."""
    for kind in EMBEDDINGS:
        if part.get(kind) is not None and kind not in caps.allow_fields:
            raise InvalidRequest(
                f"'{where}.{kind}' is not accepted here: raw tensors are loaded by the engine (safety.allow_fields).",
                f"'{where}.{kind}' はここでは受け付けません。管理者が safety.allow_fields で許可できます。",
                param=f"{where}.{kind}",
            )
    for kind in MEDIA:
        value = part.get(kind)
        if value is None:
            continue
        for medium in (
            [value.get(name) for name in ("url", "data", "file_data")] if isinstance(value, dict) else [value]
        ):
            if isinstance(medium, str) and medium:
                _check_medium(f"{where}.{kind}", medium, caps)


def _check_medium(where: str, medium: str, caps: Caps) -> None:
    if (where.endswith("_url") or "://" in medium[:32]) and medium[:5].lower() != "data:":
        if where.endswith((".image_url", ".image")) and caps.image_hosts.allow(medium):
            return
        raise fetched(where)
    if len(medium) > caps.max_media_bytes * 4 // 3 + 64:
        raise InvalidRequest(
            f"'{where}' is over {caps.max_media_bytes} bytes.",
            f"'{where}' が上限（{caps.max_media_bytes}バイト）を超えています。",
            param=where,
        )


def fetched(where: str) -> InvalidRequest:
    """What is said of a medium that the engine would have to fetch."""
    return InvalidRequest(
        f"'{where}' must be a data: URL or base64 data: the gateway lets no engine fetch what a caller names, "
        f"except images from hosts that the operator lists (safety.image_hosts).",
        f"'{where}' は data: URL またはbase64データにしてください。呼び出し側が指定したURLからの取得は、"
        f"管理者が safety.image_hosts に登録したホストの画像に限ります。",
        param=where,
    )


def check_background(fields: dict[str, Any]) -> None:
    """POST /v1/responses: an answer that is made in the background could not be fetched again."""
    if fields.get("background"):
        raise InvalidRequest(
            "'background' must be false: the gateway can't hand out an answer later, so nobody could fetch it. "
            "Leave it out, and set 'stream': true for a long answer.",
            "'background' は false にしてください。回答を後から取得する機能がないためです。"
            "長い回答には 'stream': true を指定してください。",
            param="background",
        )


def check_tools(tools: Any) -> None:
    """A tool that lives at a URL of the caller's (MCP in /v1/responses) would make the engine connect there."""
    for n, tool in enumerate(tools if isinstance(tools, list) else ()):
        if isinstance(tool, dict) and tool.get("server_url") is not None:
            raise InvalidRequest(
                f"'tools.{n}.server_url' is not accepted: the gateway lets no engine connect where a caller names.",
                f"'tools.{n}.server_url' は受け付けません。呼び出し側が指定した接続先は使えません。",
                param=f"tools.{n}.server_url",
            )


def _check_flag(name: str, value: Any, _: Caps) -> None:
    if not isinstance(value, bool):
        raise _wrong(name, "true or false", "true か false")


def _check_count(name: str, value: Any, caps: Caps) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _wrong(
            name, f"a whole number of at least 1, not {_shown(value)}", f"1以上の整数（指定値: {_shown(value)}）"
        )
    if name in ("n", "best_of") and value > caps.max_n:
        raise InvalidRequest(
            f"'{name}' may be at most {caps.max_n} here, not {_shown(value)} (safety.max_n).",
            f"'{name}' の上限は {caps.max_n} です（指定値: {_shown(value)}）。",
            param=name,
        )
    if caps.max_output_tokens and name.endswith("tokens") and value > caps.max_output_tokens:
        raise InvalidRequest(
            f"'{name}' may be at most {caps.max_output_tokens} here, not {_shown(value)} (safety.max_output_tokens).",
            f"'{name}' の上限は {caps.max_output_tokens} です（指定値: {_shown(value)}）。",
            param=name,
        )


def _in_range(low: float, high: float, *, open_low: bool = False) -> Callable[[str, Any, Caps], None]:
    shown = f"{'more than' if open_low else 'at least'} {low:g} and at most {high:g}"
    shown_ja = f"{low:g}{'より大きく' if open_low else '以上'}{high:g}以下の数値"

    def check(name: str, value: Any, _: Caps) -> None:
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not (low <= value <= high)
            or (open_low and value == low)
        ):
            raise _wrong(name, f"a number, {shown}, not {_shown(value)}", f"{shown_ja}（指定値: {_shown(value)}）")

    return check


def _check_integer(name: str, value: Any, _: Caps) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(name, f"a whole number, not {_shown(value)}", f"整数（指定値: {_shown(value)}）")


def _check_stop(name: str, value: Any, _: Caps) -> None:
    if isinstance(value, str):
        return
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value) or len(value) > MAX_STOPS:
        raise _wrong(
            name,
            f"a string or a list of at most {MAX_STOPS} strings",
            f"文字列、または{MAX_STOPS}個以下の文字列のリスト",
        )


def _check_object(name: str, value: Any, _: Caps) -> None:
    if not isinstance(value, dict):
        raise _wrong(name, "an object", "オブジェクト")


def _check_name(name: str, value: Any, _: Caps) -> None:
    if not isinstance(value, str):
        raise _wrong(name, "a string", "文字列")


_SAMPLING: dict[str, Callable[[str, Any, Caps], None]] = {
    "model": _check_name,
    "stream": _check_flag,
    "stream_options": _check_object,
    "max_tokens": _check_count,
    "max_completion_tokens": _check_count,
    "n": _check_count,
    "best_of": _check_count,
    "temperature": _in_range(0, 2),
    "top_p": _in_range(0, 1, open_low=True),
    "presence_penalty": _in_range(-2, 2),
    "frequency_penalty": _in_range(-2, 2),
    "seed": _check_integer,
    "stop": _check_stop,
}


def _wrong(name: str, wanted: str, wanted_ja: str) -> InvalidRequest:
    return InvalidRequest(f"'{name}' must be {wanted}.", f"'{name}' は{wanted_ja}にしてください。", param=name)


def _shown(value: Any) -> str:
    text = orjson.dumps(value).decode() if isinstance(value, str | int | float | bool | None) else _named(value)
    return text if len(text) <= 40 else text[:40] + "…"


def _named(value: Any) -> str:
    return {list: "a list", dict: "an object", str: "a string", bool: "true or false", type(None): "null"}.get(
        type(value), "a number"
    )


def _depth(value: Any) -> int:
    deepest, level = 1, [value]
    while level:
        level = [
            item
            for each in level
            if isinstance(each, dict | list)
            for item in (each.values() if isinstance(each, dict) else each)
            if isinstance(item, dict | list)
        ]
        deepest += bool(level)
    return deepest
