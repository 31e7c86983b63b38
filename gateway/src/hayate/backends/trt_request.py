"""OpenAI's requests as trtllm-serve takes them. Its schema is closed: a field it does not know is a 400 for the whole
request.

So only what its schema has is sent, and `null` never, because many of its fields can't be null. Some values are put the
way that all its releases understand: one name for the limit, the bare JSON schema, a tool choice that is always said.
"""

from __future__ import annotations

from typing import Any, Final

from hayate.wire.fields import limit_to_send, taken, unsupported, with_some_top_p

ENGINE: Final = "trtllm"
_SAMPLING: Final = frozenset(
    {
        "add_special_tokens",
        "best_of",
        "early_stopping",
        "frequency_penalty",
        "ignore_eos",
        "include_stop_str_in_output",
        "length_penalty",
        "logit_bias",
        "logprobs",
        "max_tokens",
        "min_p",
        "min_tokens",
        "model",
        "n",
        "presence_penalty",
        "priority",
        "prompt_ignore_length",
        "repetition_penalty",
        "response_format",
        "seed",
        "skip_special_tokens",
        "spaces_between_special_tokens",
        "stop",
        "stop_token_ids",
        "stream",
        "stream_options",
        "temperature",
        "thinking_token_budget",
        "top_k",
        "top_p",
        "top_p_min",
        "truncate_prompt_tokens",
        "use_beam_search",
        "user",
    }
)
CHAT_FIELDS: Final = _SAMPLING | {
    "add_generation_prompt",
    "cache_salt",
    "chat_template",
    "chat_template_kwargs",
    "documents",
    "echo",
    "max_completion_tokens",
    "media_io_kwargs",
    "messages",
    "mm_processor_kwargs",
    "reasoning_effort",
    "thinking",
    "tool_choice",
    "tools",
    "top_logprobs",
}
TEXT_FIELDS: Final = _SAMPLING | {"detokenize", "echo", "prompt", "return_context_logits"}
_STREAM_OPTIONS: Final = frozenset({"include_usage", "continuous_usage_stats"})
_FUNCTION: Final = frozenset({"name", "description", "parameters"})


def chat_body(fields: dict[str, Any]) -> dict[str, Any]:
    """The body for /v1/chat/completions, without the model. Raises UnsupportedField."""
    body = _body(taken(ENGINE, fields, CHAT_FIELDS))
    if body.get("tools"):
        body["tools"] = [_tool(n, tool) for n, tool in enumerate(body["tools"])]
        body.setdefault("tool_choice", "auto")  # some releases take an unsaid choice for "none"
    else:
        body.pop("tools", None)
        if body.get("tool_choice") in ("auto", "none"):
            del body["tool_choice"]
    return body


def text_body(fields: dict[str, Any]) -> dict[str, Any]:
    """The body for /v1/completions, without the model. Raises UnsupportedField."""
    return _body(taken(ENGINE, fields, TEXT_FIELDS))


def turned_priority(priority: float) -> float:
    """vLLM's priority (any number, lower is sooner, 0 usual) as TensorRT-LLM's (0 to 1, higher is sooner, 0.5 usual)."""
    return 0.5 - priority / (2 * (1 + abs(priority)))


def _body(asked: dict[str, Any]) -> dict[str, Any]:
    body = {
        name: value for name, value in with_some_top_p(asked).items() if name not in ("model", "max_completion_tokens")
    }
    if (limit := limit_to_send(asked)) is not None:
        body["max_tokens"] = limit
    if "priority" in body:
        if not isinstance(body["priority"], int | float):
            raise unsupported(ENGINE, "priority", "it must be a number", "数値にしてください")
        body["priority"] = turned_priority(body["priority"])
    if body.get("stream"):
        options = body.get("stream_options") or {}
        said = {name: options[name] for name in _STREAM_OPTIONS & options.keys() if options[name] is not None}
        body["stream_options"] = {**said, "include_usage": True}
    wanted = body.get("response_format")
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        named = wanted.get("json_schema")
        schema = named["schema"] if isinstance(named, dict) and isinstance(named.get("schema"), dict) else named
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _tool(n: int, tool: dict[str, Any]) -> dict[str, Any]:
    """A tool with the keys of the schema alone; `strict` is passed on only where it asks for something."""
    function = tool.get("function")
    if tool.get("type", "function") != "function" or not isinstance(function, dict):
        raise unsupported(ENGINE, f"tools.{n}.type", "it knows functions only", "関数だけに対応しています")
    sent = {name: function[name] for name in sorted(_FUNCTION & function.keys()) if function[name] is not None}
    if function.get("strict"):
        sent["strict"] = True
    return {"type": "function", "function": sent}
