"""The response object of /v1/responses, as the gateway writes it for engines that have none: OpenAI's members, every one of
them in every response, with the request's settings said again.

The settings are kept as JSON: a stream says them three times, and may take long, while instructions and tools can be large.
"""

from __future__ import annotations

from typing import Any, Final

from hayate.wire.engine_json import read, write
from hayate.wire.response_tools import built_in
from hayate.wire.usage import Usage, count

_TEXT: Final = {"format": {"type": "text"}}
_FUNCTION: Final = {"parameters": None, "strict": None}


class ResponseObject:
    """One per call. `created` is in seconds since 1970; `settings` is what `settings_of` makes of the request."""

    __slots__ = ("_head", "_settings")

    def __init__(self, response_id: str, created: int, settings: bytes) -> None:
        self._head = write({"id": response_id, "object": "response", "created_at": created})
        self._settings = settings

    def written(self, state: dict[str, Any]) -> bytes:
        """The response in this state, as JSON."""
        return b"%b,%b,%b" % (self._head[:-1], write(state)[1:-1], self._settings[1:])

    def whole(self, state: dict[str, Any]) -> dict[str, Any]:
        """The same as an object."""
        return {**read(self._head), **state, **read(self._settings)}


def settings_of(fields: dict[str, Any], model: str) -> bytes:
    """What a response says of the request that it answers, as JSON; `model` is the name of the one that answers. Of the tools it
    says those that the model had.
    """
    text = fields.get("text") or {}
    reasoning = fields.get("reasoning") or {}
    settings: dict[str, Any] = {
        "background": False,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "safety_identifier": None,
        "service_tier": None,
        "store": False,
        "temperature": None,
        "tool_choice": "auto",
        "top_logprobs": 0,
        "top_p": None,
        "truncation": "disabled",
        "user": None,
    }
    settings |= {name: fields[name] for name in settings if fields.get(name) is not None}
    settings["model"] = model
    settings["reasoning"] = {"effort": None, "summary": None, **reasoning}
    settings["text"] = {**_TEXT, **{name: value for name, value in text.items() if value is not None}}
    tools = [tool for tool in fields.get("tools") or () if built_in(tool) is None]
    settings["tools"] = [{**_FUNCTION, **tool} if tool.get("type") == "function" else tool for tool in tools]
    return write(settings)


def response_usage(usage: Usage, reported: Any) -> dict[str, Any]:
    """OpenAI's usage of a response. `reported` is the engine's own, for the one count that `usage` has not."""
    details = reported.get("completion_tokens_details") if isinstance(reported, dict) else None
    reasoning = count(details.get("reasoning_tokens")) if isinstance(details, dict) else None
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": min(usage.cached_tokens, usage.prompt_tokens),
            "cache_write_tokens": 0,
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": min(reasoning or 0, usage.completion_tokens)},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
