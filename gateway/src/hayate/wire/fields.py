"""Request fields against what an engine can do, for engines that would refuse or silently ignore the rest.

The rule: a field that changes the answer reaches the engine or is refused by name; what could not change it (who asks,
what to bill, where to keep the log) is left out; a field set to what the engine does anyway is left out too. `null`
means not set.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any, Final

from hayate.errors import InvalidRequest, UnsupportedField

HARMLESS: Final = frozenset(
    {
        "metadata",
        "prediction",
        "priority",
        "prompt_cache_key",
        "prompt_cache_retention",
        "request_id",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
    }
)
"""Fields that say something about a call, or how soon it should run, and nothing about its answer."""

NEUTRAL: Final[dict[str, tuple[Any, ...]]] = {
    "add_generation_prompt": (True,),
    "best_of": (1,),
    "continue_final_message": (False,),
    "echo": (False,),
    "frequency_penalty": (0, 0.0),
    "ignore_eos": (False,),
    "include_reasoning": (True,),
    "include_stop_str_in_output": (False,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "min_p": (0, 0.0),
    "min_tokens": (0,),
    "modalities": (["text"],),
    "n": (1,),
    "parallel_tool_calls": (True,),
    "presence_penalty": (0, 0.0),
    "repetition_penalty": (1, 1.0),
    "response_format": ({"type": "text"},),
    "skip_special_tokens": (True,),
    "suffix": ("",),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
    "top_p": (1, 1.0),
    "verbosity": ("medium",),
}
"""Values that ask for nothing: every engine does so by itself."""

LEAST_TOP_P: Final = 1e-6


def taken(engine: str, fields: dict[str, Any], known: Container[str]) -> dict[str, Any]:
    """The fields of `known` that are set, in a new dict. Raises UnsupportedField for one that would be lost."""
    kept = {}
    for name, value in fields.items():
        if value is None:
            continue
        if name in known:
            kept[name] = value
        elif name not in HARMLESS and not _neutral(name, value):
            raise unsupported(engine, name)
    return kept


def _neutral(name: str, value: Any) -> bool:
    # In Python True is 1 and False is 0; in a request they are not.
    return any(value == neutral and type(value) is type(neutral) for neutral in NEUTRAL.get(name, ()))


def unsupported(engine: str, field: str, why: str = "", why_ja: str = "") -> UnsupportedField:
    """The refusal: 400, naming the engine and the field."""
    return UnsupportedField(
        f"The engine behind this model ({engine}) does not support '{field}'{f': {why}' if why else ''}.",
        f"このモデルのエンジン（{engine}）は '{field}' に対応していません{f'：{why_ja}' if why_ja else ''}。",
        param=field,
    )


def stop_strings(fields: dict[str, Any]) -> list[str]:
    """`stop`, which may be one text, as the list that engines want; empty when it is not set."""
    stop = fields.get("stop")
    return [stop] if isinstance(stop, str) else list(stop or ())


def limit_to_send(fields: dict[str, Any]) -> int | None:
    """The limit on the answer for an engine that takes one: OpenAI's newer name goes before the older, as in its own
    API.

    What the request is checked by is `numbers.largest_limit`: there an engine may go by any of the names.
    """
    limit = fields.get("max_completion_tokens")
    if limit is None:
        limit = fields.get("max_tokens")
    return limit if isinstance(limit, int) else None


def with_some_top_p(fields: dict[str, Any]) -> dict[str, Any]:
    """For engines that refuse a `top_p` of 0: so little that the likeliest token alone is left, which is what 0 asks for."""
    return {**fields, "top_p": LEAST_TOP_P} if fields.get("top_p") == 0 else fields


def one_prompt(engine: str, prompt: Any) -> str:
    """A text completion's prompt, for engines that take one string. Raises UnsupportedField."""
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise unsupported(engine, "prompt", "it takes one string here", "文字列1つだけを受け付けます")
    if not prompt:
        raise InvalidRequest("'prompt' is empty.", "'prompt' が空です。", param="prompt")
    return prompt


def text_of(engine: str, where: str, content: Any) -> str:
    """A message's content as one string; its text parts are joined by line breaks. Raises UnsupportedField."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    texts = []
    for n, part in enumerate(content):
        if part.get("type") not in ("text", "input_text", "refusal"):
            raise unsupported(engine, f"{where}.content.{n}.{part.get('type')}")
        texts.append(str(part.get("text") or part.get("refusal") or ""))
    return "\n".join(texts)
