"""SGLang's OpenAI-compatible server.

What is special: priorities run the other way (higher is sooner, unless it was started with
--schedule-low-priority-values-first); /health generates a token, so a frozen engine is found; errors are flat; an error
in a stream is followed by `[DONE]`, and an abort is `finish_reason:"abort"` (both in `wire.openai_stream`). A streaming
client that leaves is noticed at the next event, another one within 4 s.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from hayate.backends.adapter import Gauges
from hayate.backends.base import Asked, Counting, Served
from hayate.backends.counting import of_chat, of_messages
from hayate.backends.openai_compat import OpenAICompatible, OpenAIOptions
from hayate.backends.told import MAX_TOKENS, sampling
from hayate.wire.engine_json import Unreadable, read
from hayate.wire.paths import PASSTHROUGH, SPEECH, TRANSLATIONS
from hayate.wire.upstream_request import UpstreamRequest


@dataclass(frozen=True, slots=True)
class SGLangOptions(OpenAIOptions):
    """What an SGLang deployment can be told."""

    lower_priority_first: bool = False
    """SGLang was started with --schedule-low-priority-values-first."""


class SGLangClient(OpenAICompatible):
    """SGLang."""

    name = "sglang"
    canary = True
    _takes_top_p_0 = False
    _gauges = Gauges(
        "/metrics", b"sglang:num_running_reqs", b"sglang:num_queue_reqs", (b"sglang:token_usage",)
    )  # served if it was started with --enable-metrics
    passes = PASSTHROUGH - {SPEECH, TRANSLATIONS}

    def __init__(self, options: SGLangOptions | None = None) -> None:
        options = options or SGLangOptions()
        super().__init__(options)
        self._turn_priority = not options.lower_priority_first

    def probe(self) -> UpstreamRequest:
        """200 when a token could be generated; 503 while it starts or is stuck."""
        return UpstreamRequest("/health", method=b"GET")

    def describe(self) -> tuple[UpstreamRequest, ...]:
        """The model list, and what it tells of the model."""
        return (*super().describe(), UpstreamRequest("/get_model_info", method=b"GET"))

    def read_served(self, answers: list[Any]) -> Served:
        """Releases of before 2026 do not tell of pictures; what it prefers is there where it was started with that."""
        served = super().read_served(answers[:1])
        info = answers[1] if len(answers) > 1 and isinstance(answers[1], dict) else {}
        images, preferred = info.get("has_image_understanding"), info.get("preferred_sampling_params")
        known = images if isinstance(images, bool) else None
        return replace(served, images=known, defaults=sampling(_preferred(preferred)))

    def _counting_chat(self, asked: Asked, served_model: str | None) -> Counting:
        """As vLLM; versions of before 2026 know no messages there, and say so."""
        return of_chat(asked, served_model)

    def _counting_messages(self, asked: Asked, served_model: str | None) -> Counting:
        return of_messages(asked, served_model)

    def _sent(self, asked: Asked, served_model: str | None) -> dict[str, Any]:
        sent = super()._sent(asked, served_model)
        priority = sent.get("priority")
        if self._turn_priority and isinstance(priority, int | float):
            sent["priority"] = -priority
        return sent


def _preferred(told: object) -> object:
    """As requests have it: it may be told as JSON, and has a name of its own for a limit."""
    if isinstance(told, str):
        with suppress(Unreadable):
            told = read(told.encode())
    return {MAX_TOKENS: told.get("max_new_tokens"), **told} if isinstance(told, dict) else None
