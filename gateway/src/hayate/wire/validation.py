"""What a request body must be before it may reach an engine: one reading, one verdict, the field named.

Engines disagree on nonsense (llama.cpp takes a temperature of -1, no messages at all, any max_tokens), some of it costs
a GPU, and a few fields can hurt the engine or make it fetch what a stranger names. So the shape is checked here, for
all engines alike; what is not listed passes untouched. What clients write in more than one way is written one way: a
`null` for "not set" is taken out, 256.0 is 256, a tool's answer without content is an empty one. The rule for numbers
is in `numbers`.
"""

from __future__ import annotations

from itertools import chain
from operator import itemgetter
from typing import Any, Final

from hayate.errors import InvalidRequest
from hayate.wire.caps import Caps
from hayate.wire.fields import HARMLESS, NEUTRAL
from hayate.wire.media import check_risky, check_tools, media_fault
from hayate.wire.numbers import LIMITS, REAL, USUAL_NUMBERS, WHOLE, check_logprobs, check_numbers
from hayate.wire.refusals import missing, no_message, wrong

MAX_STOPS: Final = 128
"""A group chat has one for each who may speak next."""


def check_chat(fields: dict[str, Any], caps: Caps, *, may_be_silent: bool = False) -> None:
    """POST /v1/chat/completions; the fields are put as engines take them. `may_be_silent`: there may be no messages. Raises
    InvalidRequest.
    """
    messages = fields.get("messages")
    if messages or not may_be_silent:
        check_messages(messages, caps)
    check_sampling(fields, caps)
    if "logprobs" in fields:
        check_logprobs(fields, chat=True)
    tools = fields.get("tools")
    if tools is None:
        return
    if not isinstance(tools, list) or not all(isinstance(tool, dict) for tool in tools):
        raise wrong("tools", "a list of objects", "オブジェクトのリスト")
    check_tools(tools)


def check_completion(fields: dict[str, Any], caps: Caps) -> None:
    """POST /v1/completions; the fields are put as engines take them. Raises InvalidRequest."""
    prompt = fields.get("prompt")
    if prompt is None and fields.get("prompt_embeds") is None:
        raise missing("prompt")
    if not isinstance(prompt, str | list | None):
        raise wrong("prompt", "a string or a list", "文字列またはリスト")
    check_sampling(fields, caps)
    check_logprobs(fields, chat=False)


def check_sampling(fields: dict[str, Any], caps: Caps) -> None:
    """The fields that chat and text completions share."""
    if _are_usual(fields, caps):
        return
    if None in fields.values():
        for name in [name for name, value in fields.items() if value is None and name in _KNOWN]:
            del fields[name]
    check_risky(fields, caps)
    check_numbers(fields, caps)
    for name in filter(fields.__contains__, _SHAPES):
        if type(fields[name]) is not _SHAPES[name]:
            raise wrong(name, *_NAMES[_SHAPES[name]])
    if "stop" in fields:
        _put_stops(fields)
    if "stream_options" in fields and not fields.get("stream"):
        del fields["stream_options"]  # as engines do that look at it only when they stream


def _are_usual(fields: dict[str, Any], caps: Caps) -> bool:
    """Whether all fields are such as most requests have: then there is nothing to refuse, and nothing to put otherwise."""
    if [*map(type, fields.values())] != [*map(_usual_type, fields)] or caps.max_output_tokens:
        return False
    for name in _NUMBERS.intersection(fields):
        _, low, high = USUAL_NUMBERS[name]
        if not low <= fields[name] <= high:
            return False
    return "stream_options" not in fields or fields.get("stream") is True


def check_passed(fields: dict[str, Any], caps: Caps) -> None:
    """The fields of any other dialect that mean the same in all of them. Raises InvalidRequest."""
    check_risky(fields, caps)
    check_numbers(fields, caps)
    for name in ("model", "stream"):
        if fields.get(name) is not None and type(fields[name]) is not _SHAPES[name]:
            raise wrong(name, *_NAMES[_SHAPES[name]])
    check_tools(fields.get("tools"))


def check_background(fields: dict[str, Any]) -> None:
    """POST /v1/responses: an answer that is made in the background could not be fetched again."""
    if fields.get("background"):
        raise InvalidRequest(
            "'background' must be false: the gateway can't hand out an answer later, so nobody could fetch it. "
            "Leave it out, and set 'stream': true for a long answer.",
            "'background' はfalseにしてください。回答を後から取得する機能がないためです。"
            "長い回答には 'stream': trueを指定してください。",
            param="background",
        )


def check_messages(messages: Any, caps: Caps) -> None:
    """A list of messages, each with its role and content. Raises InvalidRequest."""
    if messages is None:
        raise InvalidRequest(
            '\'messages\' is missing: a list such as [{"role":"user","content":"…"}].',
            '\'messages\' がありません。[{"role":"user","content":"…"}] のようなリストを送ってください。',
            param="messages",
        )
    if not isinstance(messages, list):
        raise wrong("messages", "a list", "リスト")
    if not messages:
        raise InvalidRequest(
            "'messages' is empty; send at least one message.",
            "'messages' が空です。メッセージを1つ以上送ってください。",
            param="messages",
        )
    if _all_say_text(messages):
        return
    for n, message in enumerate(messages):
        if type(message) is not dict:
            raise no_message(f"messages.{n}")
        role = message.get("role")
        if type(role) is not str or not role:
            raise wrong(f"messages.{n}.role", "a string such as 'user'", "'user' などの文字列")
        if type(message.get("content")) is not str:
            _check_content(n, message, caps)


def _all_say_text(messages: list[Any]) -> bool:
    """Whether every message is an object with a role and a text: nearly every request's are."""
    try:
        said = [*_each_of(map(_ROLE_AND_CONTENT, messages))]
    except (KeyError, TypeError):
        return False
    return {*map(type, said)} == _TEXT_ONLY and "" not in said[::2]


def _check_content(n: int, message: dict[str, Any], caps: Caps) -> None:
    """Of message `n`, where it is no text."""
    content = message.get("content")
    if isinstance(content, list):
        _check_parts(n, content, caps)
    elif content is None and message["role"] in SAY_NOTHING:
        if message["role"] != "assistant":
            message["content"] = ""  # chat templates would write None
    else:
        raise wrong(f"messages.{n}.content", "a string or a list of parts", "文字列またはパーツのリスト")


_each_of: Final = chain.from_iterable
_ROLE_AND_CONTENT: Final = itemgetter("role", "content")
_TEXT_ONLY: Final = {str}
SAY_NOTHING: Final = frozenset({"assistant", "tool", "function"})
"""Who may say nothing: an assistant that calls a tool, a tool that returned nothing."""


def _check_parts(message: int, parts: list[Any], caps: Caps) -> None:
    for n, part in enumerate(parts):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise wrong(f"messages.{message}.content.{n}", "an object with 'type'", "'type' を持つオブジェクト")
        if fault := media_fault(part, caps):
            raise fault(f"messages.{message}.content.{n}")


def _put_stops(fields: dict[str, Any]) -> None:
    """Checks `stop`, and leaves out what could not stop anything: an empty text, which some engines refuse."""
    stop = fields["stop"]
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or len(stops) > MAX_STOPS or not all(isinstance(each, str) for each in stops):
        raise wrong(
            "stop",
            f"a string or a list of at most {MAX_STOPS} strings",
            f"文字列、または{MAX_STOPS}個以下の文字列のリスト",
        )
    if all(stops):
        return
    if kept := [each for each in stops if each]:
        fields["stop"] = kept
    else:
        del fields["stop"]


_SHAPES: Final[dict[str, type]] = {"model": str, "stream": bool, "stream_options": dict}
_NAMES: Final = {
    str: ("a string", "文字列"),
    bool: ("true or false", "trueかfalse"),
    dict: ("an object", "オブジェクト"),
}
_USUAL: Final[dict[str, type]] = {
    **_SHAPES,
    **{name: kind for name, (kind, _, _) in USUAL_NUMBERS.items()},
    "messages": list,
    "prompt": str,
    "response_format": dict,
    "tools": list,
    "user": str,
}
"""Fields that need no look beyond their type and, if they are numbers, their bounds."""
_usual_type: Final = _USUAL.get
_NUMBERS: Final = frozenset(USUAL_NUMBERS)
_KNOWN: Final = frozenset(
    {
        *_SHAPES,
        *WHOLE,
        *REAL,
        *LIMITS,
        *HARMLESS,
        *NEUTRAL,
        "functions",
        "function_call",
        "messages",
        "prompt",
        "stop",
        "reasoning_effort",
    }
)
"""Fields of OpenAI's API and its engines', where `null` is how clients write "not set"; in others it may mean something."""
