"""A child engine's settings for a test, and one question to it."""

from __future__ import annotations

from pathlib import Path

from hayate.engines.llamacpp import LlamaCpp
from hayate.tools.embedded.weights import tiny
from tests.support.http import fetch
from tests.support.ports import free_port

KEY = "engine-key-0123456789"
QUESTION = {"messages": [{"role": "user", "content": "Hello"}], "temperature": 0, "max_tokens": 64}
ANSWER = "Hello! How can I help you today?"


def settings(*, model: Path | None = None, port: int | None = None) -> LlamaCpp:
    """The tiny model on a free port, one thread."""
    return LlamaCpp(
        model=str(model or tiny().path),
        served_model="tiny-qwen2",
        port=port or free_port(),
        key=KEY,
        context_tokens=1024,
        slots=2,
        threads=1,
    )


async def answers(port: int) -> bool:
    """Whether the engine is there and loaded."""
    try:
        return (await fetch(f"http://127.0.0.1:{port}", "/health")).status == 200
    except OSError:
        return False


async def ask(port: int) -> str:
    """Its answer to a question whose answer is known."""
    reply = await fetch(f"http://127.0.0.1:{port}", "/v1/chat/completions", QUESTION, key=KEY)
    assert reply.status == 200, reply.text
    content: str = reply.json["choices"][0]["message"]["content"]
    return content
