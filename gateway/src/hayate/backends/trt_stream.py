"""trtllm-serve's streams as OpenAI's events.

Chunks have no `finish_reason` until the last and an empty `reasoning_content`, a call that was demanded by name has no
id, and an answer may end as `timeout` or `cancelled`, which is no end.
"""

from __future__ import annotations

from typing import Any

from hayate.wire import sse
from hayate.wire.engine_json import write
from hayate.wire.faults import given_up
from hayate.wire.openai_stream import OpenAIStream

GIVEN_UP = ("timeout", "cancelled")
"""Finish reasons of answers that were not finished."""


class TrtLLMStream(OpenAIStream):
    """OpenAI's stream with trtllm-serve's gaps filled."""

    _mends = True

    __slots__ = ("_named_calls",)

    def __init__(self, *, keep_usage: bool, choices: int = 1) -> None:
        super().__init__(keep_usage=keep_usage, choices=choices)
        self._named_calls: set[tuple[int, int]] = set()

    def _chunk(self, event: dict[str, Any], frame: bytes) -> bytes:
        for choice in event["choices"]:
            reason = choice.setdefault("finish_reason", None)
            if reason in GIVEN_UP:
                self.finish_reason, self.failure = None, given_up(reason)
                return b""
            delta = choice.get("delta")
            if isinstance(delta, dict):
                if not delta.get("reasoning_content", True):
                    del delta["reasoning_content"]
                self._name_calls(self._index(choice), delta, str(event.get("id")))
        return sse.render(write(event))

    def _name_calls(self, index: int, delta: dict[str, Any], answer_id: str) -> None:
        """A call that the client demanded by name comes without an id."""
        calls = delta.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if not isinstance(call, dict):
                continue
            at = call.get("index")
            key = (index, at if isinstance(at, int) else 0)
            if key not in self._named_calls:
                self._named_calls.add(key)
                if not call.get("id"):
                    call["id"] = f"call_{answer_id.rpartition('-')[2]}_{key[0]}_{key[1]}"
