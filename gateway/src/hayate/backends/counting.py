"""How engines are asked for the tokens of a prompt, where several are asked alike; and how their answers are read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from hayate.backends.base import Asked, Counting
from hayate.wire.engine_json import write
from hayate.wire.paths import COUNT_TOKENS
from hayate.wire.upstream_request import UpstreamRequest
from hayate.wire.usage import count

TOKENIZE: Final = "/tokenize"
_TEMPLATE_FIELDS: Final = (
    "messages",
    "tools",
    "tool_choice",
    "chat_template",
    "chat_template_kwargs",
    "add_generation_prompt",
    "continue_final_message",
    "reasoning_effort",
)
"""What a chat's prompt is made of."""
_MESSAGES_FIELDS: Final = ("messages", "system", "tools", "tool_choice", "thinking")
"""What Anthropic's dialect has for it."""


def of_chat(asked: Asked, served_model: str | None) -> Counting:
    """POST /tokenize with the messages, as vLLM and newer versions of SGLang take it."""
    return Counting(UpstreamRequest(TOKENIZE, _body(asked, served_model, _TEMPLATE_FIELDS)), number("count"))


def of_messages(asked: Asked, served_model: str | None) -> Counting:
    """POST /v1/messages/count_tokens, which is Anthropic's own."""
    request = UpstreamRequest(COUNT_TOKENS, _body(asked, served_model, _MESSAGES_FIELDS))
    return Counting(request, number("input_tokens"))


def number(name: str) -> Callable[[bytes | None], int | None]:
    """Reads a whole number of that name, found by searching: the answer may name every token."""
    pattern = re.compile(rb'"%s"\s*:\s*(\d{1,10})\s*[,}]' % name.encode())

    def read(body: bytes | None) -> int | None:
        found = None if body is None else pattern.search(body)
        return None if found is None else count(int(found[1]))

    return read


def _body(asked: Asked, served_model: str | None, names: tuple[str, ...]) -> bytes:
    fields: dict[str, Any] = {name: asked.fields[name] for name in names if asked.fields.get(name) is not None}
    if served_model is not None:
        fields["model"] = served_model
    return write(fields)
