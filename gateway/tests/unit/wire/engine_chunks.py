"""Streams as real engines write them: vLLM's and llama.cpp's chunk shapes, in small."""

from __future__ import annotations

import json
from typing import Any

DONE = b"data: [DONE]\n\n"
Choice = dict[str, Any]


def event(value: Any, *, spaced: bool = False, eol: str = "\n") -> bytes:
    """One event; vLLM and llama.cpp write JSON without spaces, its error events (and other engines) with them."""
    separators = (", ", ": ") if spaced else (",", ":")
    return f"data: {json.dumps(value, ensure_ascii=False, separators=separators)}{eol}{eol}".encode()


def vllm(choices: list[Choice], **more: Any) -> dict[str, Any]:
    """A chunk with vLLM's own fields."""
    return {"id": "chatcmpl-8f0", "object": "chat.completion.chunk", "created": 1795361756, "model": "tiny-qwen2", "choices": choices, **more}  # fmt: skip  # noqa: E501


def vllm_choice(delta: dict[str, Any], finish: str | None = None, index: int = 0) -> Choice:
    """`token_ids` is a field no OpenAI client knows; it must survive."""
    ended = {"stop_reason": None} if finish else {}
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish, **ended, "token_ids": None}


def llamacpp(choices: list[Choice], **more: Any) -> dict[str, Any]:
    """llama.cpp's order of fields: the choices come first."""
    return {"choices": choices, "created": 1795361780, "id": "chatcmpl-FY1", "model": "tiny-qwen2", "system_fingerprint": "b0-unknown", "object": "chat.completion.chunk", **more}  # fmt: skip  # noqa: E501


def llamacpp_choice(delta: dict[str, Any], finish: str | None = None, index: int = 0) -> Choice:
    return {"finish_reason": finish, "index": index, "delta": delta}


USAGE = {
    "prompt_tokens": 53,
    "total_tokens": 57,
    "completion_tokens": 4,
    "prompt_tokens_details": {"cached_tokens": 48},
}
TEXTS = ("こん", "にち", "は", "😀")

ROLE = event(vllm([vllm_choice({"role": "assistant", "content": ""})], prompt_token_ids=None))
WORDS = [event(vllm([vllm_choice({"content": text})])) for text in TEXTS]
STOP = event(vllm([vllm_choice({}, "stop")]))
ABORT = event(vllm([vllm_choice({}, "abort")]))
USAGE_EVENT = event(vllm([], usage=USAGE, system_fingerprint="vllm-0.32.0"))
CORE_DIED = event(
    {
        "error": {
            "message": "EngineCore encountered an issue.",
            "type": "InternalServerError",
            "param": None,
            "code": 500,
        }
    },
    spaced=True,
)
ANSWER = [ROLE, *WORDS, STOP, USAGE_EVENT, DONE]
