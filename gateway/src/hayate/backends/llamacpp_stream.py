"""llama.cpp's streams as OpenAI's events.

Where the first token is part of a character no role is sent; with n > 1, and with several prompts, there is one usage
event per choice, each counting one choice and its prompt; and progress through the prompts, which only the gateway
asked for, stands between the events. The choices of one prompt follow one another, and share what was read of it.
"""

from __future__ import annotations

from typing import Any

from hayate.backends.openai_compat import choices_of, prompts_of, wants_usage
from hayate.wire import sse
from hayate.wire.chunks import counted
from hayate.wire.engine_json import write
from hayate.wire.openai_stream import OpenAIStream
from hayate.wire.usage import MAX_TOKENS, Usage, count


class LlamaCppStream(OpenAIStream):
    """OpenAI's stream with llama.cpp's gaps filled."""

    _mends = True
    _read_if = (*OpenAIStream._read_if, b'"prompt_progress":')

    __slots__ = (
        "_cached_tokens",
        "_each",
        "_ends_left",
        "_keep_progress",
        "_made",
        "_prompts",
        "_read_tokens",
        "_roles_missing",
    )

    def __init__(self, fields: dict[str, Any], *, roles: bool = True) -> None:
        choices = choices_of(fields)
        super().__init__(keep_usage=wants_usage(fields), choices=choices)
        self._keep_progress = bool(fields.get("return_progress"))
        self._roles_missing = set(range(choices)) if roles else set()
        self._ends_left = choices
        self._prompts = [(0, 0)] * prompts_of(fields)
        """Tokens of each prompt, and how many of them were cached."""
        self._each = choices // len(self._prompts)
        """Answers to each prompt."""
        self._read_tokens = self._cached_tokens = self._made = 0

    def _event(self, event: dict[str, Any], frame: bytes) -> bytes:
        progress = event.get("prompt_progress")
        if progress:
            self._expect(event, progress)
            if not self._keep_progress:
                return b""
        usage = event.get("usage")
        if self._choices == 1 or not isinstance(usage, dict):
            return super()._event(event, frame)
        if not event.get("choices"):
            return self._joined_usage(event, usage)
        event = {**event, "usage": {**usage, **self._add(event, usage)}}
        return super()._event(event, sse.render(write(event)))

    def _expect(self, event: dict[str, Any], progress: Any) -> None:
        """What the engine begins to read."""
        if isinstance(progress, dict):
            self._read(event, progress.get("total"), progress.get("cache"))
            self.usage.expect(self._read_tokens, self._cached_tokens)

    def _joined_usage(self, event: dict[str, Any], usage: dict[str, Any]) -> bytes:
        """The usage events of n choices as one: prompts are counted once, completions added up."""
        total = self._add(event, usage)
        self._ends_left -= 1
        if self._ends_left > 0:
            return b""
        event = {**event, "usage": {**usage, **total}}
        return sse.render(write(event)) if self._keep_usage else self._finish.with_rest_of(event)

    def _add(self, event: dict[str, Any], usage: dict[str, Any]) -> dict[str, Any]:
        """Counts one choice's usage with those before it. Returns the counts of all."""
        one = Usage()
        one.take(usage)
        self._read(event, one.prompt_tokens, one.cached_tokens)
        self._made = min(MAX_TOKENS, self._made + one.completion_tokens)
        total: dict[str, Any] = counted(Usage(min(MAX_TOKENS, self._read_tokens), self._made))
        if "prompt_tokens_details" in usage:
            total["prompt_tokens_details"] = {"cached_tokens": min(MAX_TOKENS, self._cached_tokens)}
        self.usage.take(total)
        return total

    def _read(self, event: dict[str, Any], tokens: Any, cached: Any) -> None:
        """Keeps what is told of the prompt to which an event's choice is an answer."""
        listed = event.get("choices")
        first = listed[0] if isinstance(listed, list) and listed else None
        at = self._index(first) // self._each if isinstance(first, dict) else 0
        if 0 <= at < len(self._prompts) and (told := count(tokens)):
            before, self._prompts[at] = self._prompts[at], (told, count(cached) or 0)
            self._read_tokens += told - before[0]
            self._cached_tokens += self._prompts[at][1] - before[1]

    def _chunk(self, event: dict[str, Any], frame: bytes) -> bytes:
        if not self._roles_missing:
            return frame
        added = False
        for choice in event["choices"]:
            index, delta = self._index(choice), choice.get("delta")
            if isinstance(delta, dict) and index in self._roles_missing:
                self._roles_missing.discard(index)
                if "role" not in delta:
                    choice["delta"] = {"role": "assistant", **delta}
                    added = True
        return sse.render(write(event)) if added else frame
