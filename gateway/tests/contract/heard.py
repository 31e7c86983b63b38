"""What a client of the `openai` SDK hears of a streamed chat, checked for its shape while it comes in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from openai import AsyncStream
from openai.types.chat import ChatCompletionChunk


@dataclass
class Heard:
    """One choice when its stream is over."""

    text: str = ""
    reasoning: str = ""
    role: str | None = None
    calls: dict[int, dict[str, str]] = field(default_factory=dict)
    finish_reason: str | None = None
    logprobs: list[Any] = field(default_factory=list)
    usage: Any = None
    ids: set[str] = field(default_factory=set)

    def take(self, chunk: ChatCompletionChunk) -> None:
        assert chunk.object == "chat.completion.chunk"
        self.ids.add(chunk.id)
        if chunk.usage:
            assert not chunk.choices, "usage comes in an event of its own"
            self.usage = chunk.usage
        for choice in chunk.choices:
            assert self.finish_reason is None, "a delta after the end"
            assert "finish_reason" in choice.model_fields_set
            if self.role is None:
                assert choice.delta.role, "the first delta has the role"
                self.role = choice.delta.role
            self.text += choice.delta.content or ""
            self.reasoning += getattr(choice.delta, "reasoning_content", None) or ""
            for part in choice.delta.tool_calls or ():
                assert part.function is not None
                call = self.calls.setdefault(part.index, {"name": "", "arguments": "", "id": ""})
                call["id"] += part.id or ""
                call["name"] += part.function.name or ""
                call["arguments"] += part.function.arguments or ""
            if choice.logprobs:
                self.logprobs += choice.logprobs.content or ()
            self.finish_reason = choice.finish_reason

    @property
    def arguments(self) -> tuple[dict[str, str], ...]:
        return tuple(json.loads(self.calls[index]["arguments"]) for index in sorted(self.calls))


async def hear(stream: AsyncStream[ChatCompletionChunk], heard: Heard | None = None) -> Heard:
    """The whole stream; into `heard`, for what has come of a stream that breaks."""
    heard = heard or Heard()
    async for chunk in stream:
        heard.take(chunk)
    assert len(heard.ids) == 1, "every event of an answer has its id"
    return heard
