"""The lines of a streamed answer as what they mean. Pure: one line in, an event or nothing out.

: loading model=smart for_s=3.1 last_load_s=12.3       it is read into memory; so long by now, so long the last time
: waiting model=smart last_load_s=12.3                 others have the GPU
: queue place=3 wait_s=4.0
data: {"choices": [{"delta": {"content": "…", "reasoning_content": "…"}, "finish_reason": null}]}
data: {"error": {"message": "…", "code": "…"}}
data: [DONE]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from hayate.tools.lenient import count_in, objects_in, text_in

_S: Final = rb"(\d{1,9}(?:\.\d{1,9})?)"
_WAIT: Final = re.compile(
    rb": (loading|waiting) model=(.{1,300}?)(?: for_s=" + _S + rb")?(?: last_load_s=" + _S + rb")?"
)
_QUEUE: Final = re.compile(rb": queue place=(\d{1,9})(?: wait_s=" + _S + rb")?")


@dataclass(frozen=True, slots=True)
class Waits:
    """For a model: while it is loaded (`for_s`), or until its turn comes."""

    model: str
    for_s: float | None
    last_s: float | None

    def after(self, more_s: float) -> Waits:
        """The same, so much later."""
        return self if self.for_s is None else replace(self, for_s=self.for_s + more_s)


@dataclass(frozen=True, slots=True)
class Queues:
    """For a place."""

    place: int
    wait_s: float | None

    def after(self, more_s: float) -> Queues:
        """The same, so much later."""
        return self if self.wait_s is None else replace(self, wait_s=max(0.0, self.wait_s - more_s))


@dataclass(frozen=True, slots=True)
class Said:
    """More of the answer, of what the model thinks before it, or of both."""

    text: str
    thought: str = ""
    finish: str = ""
    """Why it has ended, where it has."""
    tokens: int | None = None
    """Of the whole answer, told at its end."""


@dataclass(frozen=True, slots=True)
class Broke:
    """There will be no more, and why."""

    message: str
    code: str


@dataclass(frozen=True, slots=True)
class Done:
    """It was whole."""


Event = Waits | Queues | Said | Broke | Done


def event_of(line: bytes) -> Event | None:
    """What it means; None for a blank, a ping, and what is not known."""
    if line.startswith(b":"):
        return _comment(line)
    if not line.startswith(b"data:"):
        return None
    data = line[5:].strip()
    if data == b"[DONE]":
        return Done()
    try:
        values = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return _event(values) if isinstance(values, dict) else None


def error_of(values: object) -> Broke | None:
    """What an error's body says, in OpenAI's shape or one like it."""
    error = values.get("error") if isinstance(values, dict) else None
    if isinstance(error, str):
        return Broke(error, "")
    if isinstance(error, dict):
        return Broke(text_in(error.get("message")) or "?", text_in(error.get("code")) or "")
    return None


def _comment(line: bytes) -> Event | None:
    if found := _WAIT.fullmatch(line):
        kind, model, since, last = found.groups()
        for_s = float(since) if since is not None else 0.0 if kind == b"loading" else None
        return Waits(model.decode("utf-8", "replace"), for_s, None if last is None else float(last))
    if found := _QUEUE.fullmatch(line):
        return Queues(int(found[1]), None if found[2] is None else float(found[2]))
    return None


def _event(values: Mapping[str, Any]) -> Event | None:
    if broke := error_of(values):
        return broke
    usage = values.get("usage")
    tokens = count_in(usage.get("completion_tokens")) if isinstance(usage, dict) else None
    for choice in objects_in(values.get("choices"))[:1]:
        given = choice.get("delta")
        delta: Mapping[str, Any] = given if isinstance(given, dict) else {}
        thought = text_in(delta.get("reasoning_content")) or text_in(delta.get("reasoning")) or ""
        return Said(text_in(delta.get("content")) or "", thought, text_in(choice.get("finish_reason")) or "", tokens)
    return Said("", tokens=tokens) if tokens is not None else None
