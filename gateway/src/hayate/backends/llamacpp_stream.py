"""llama.cpp's streams as OpenAI's events.

Where the first token is part of a character no role is sent; with n > 1 there is one usage event per choice, each
counting one choice; and progress through the prompt, which only the gateway asked for, stands between the events.
"""

from __future__ import annotations

from typing import Any

from hayate.backends.openai_compat import choices_of, prompts_of, wants_usage
from hayate.wire import sse
from hayate.wire.chunks import counted
from hayate.wire.engine_json import write
from hayate.wire.openai_stream import OpenAIStream
from hayate.wire.usage import Usage


class LlamaCppStream(OpenAIStream):
    """OpenAI's stream with llama.cpp's gaps filled."""

    _mends = True
    _read_if = (*OpenAIStream._read_if, b'"prompt_progress":')

    __slots__ = ("_ends_left", "_keep_progress", "_prompts", "_roles_missing", "_used")

    def __init__(self, fields: dict[str, Any], *, roles: bool = True) -> None:
        choices = choices_of(fields)
        super().__init__(keep_usage=wants_usage(fields), choices=choices)
        self._keep_progress = bool(fields.get("return_progress"))
        self._roles_missing = set(range(choices)) if roles else set()
        self._ends_left = choices
        self._prompts = prompts_of(fields)
        self._used = Usage()

    def _event(self, event: dict[str, Any], frame: bytes) -> bytes:
        if event.get("prompt_progress") and not self._keep_progress:
            return b""
        usage = event.get("usage")
        if self._choices == 1 or not isinstance(usage, dict):
            return super()._event(event, frame)
        if not event.get("choices"):
            return self._joined_usage(event, usage)
        passed = super()._event(event, frame)
        self._add(usage)
        return passed

    def _joined_usage(self, event: dict[str, Any], usage: dict[str, Any]) -> bytes:
        """The usage events of n choices as one: prompts are counted once, completions added up."""
        total = self._add(usage)
        self._ends_left -= 1
        if self._ends_left > 0:
            return b""
        event = {**event, "usage": {**usage, **total}}
        return sse.render(write(event)) if self._keep_usage else self._finish.with_rest_of(event)

    def _add(self, usage: dict[str, Any]) -> dict[str, int]:
        """Counts one choice's usage with those before it. Returns the counts of all."""
        one, total = Usage(), self._used
        one.take(usage)
        total.prompt_tokens = one.prompt_tokens + (total.prompt_tokens if self._prompts > 1 else 0)
        total.completion_tokens += one.completion_tokens
        counts = counted(total)
        self.usage.take(counts)
        return {name: counts[name] for name in ("completion_tokens", "total_tokens")}

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
