"""vLLM's OpenAI-compatible server.

What is special, and where it is met: an error event is followed by `[DONE]`, and a shutdown ends a stream with
`finish_reason:"abort"` (both in `wire.openai_stream`); idle connections close after 5 s (`upstream.connection.IDLE_S`);
while it drains, new calls get a 500 that says so (`wire.engine_errors`).
"""

from __future__ import annotations

from dataclasses import dataclass

from hayate.backends.adapter import Gauges
from hayate.backends.base import Asked, Counting
from hayate.backends.counting import of_chat, of_messages
from hayate.backends.openai_compat import OpenAICompatible, OpenAIOptions
from hayate.backends.sleep_mode import Level, SleepMode
from hayate.wire.upstream_request import UpstreamRequest


@dataclass(frozen=True, slots=True)
class VLLMOptions(OpenAIOptions):
    """What a vLLM deployment can be told."""

    sleep_level: Level | None = None
    """Where the weights are while the model sleeps: 1, the default, in the host's memory; 2 nowhere, and they are read anew."""


class VLLMClient(OpenAICompatible):
    """vLLM."""

    name = "vllm"
    canary = True
    _takes_top_p_0 = False
    _gauges = Gauges(
        "/metrics",
        b"vllm:num_requests_running",
        b"vllm:num_requests_waiting",
        (b"vllm:kv_cache_usage_perc", b"vllm:gpu_cache_usage_perc"),  # as it was called until 2025
    )

    def __init__(self, options: VLLMOptions | None = None) -> None:
        options = options or VLLMOptions()
        super().__init__(options)
        self._sleep_level = options.sleep_level or 1

    def probe(self) -> UpstreamRequest:
        """200 while the engine core lives."""
        return UpstreamRequest("/health", method=b"GET")

    def control(self, served_model: str | None) -> SleepMode:
        """Sleep mode, whatever the model's name."""
        return SleepMode(self._sleep_level)

    def _counting_chat(self, asked: Asked, served_model: str | None) -> Counting:
        """/tokenize renders a chat's template too."""
        return of_chat(asked, served_model)

    def _counting_messages(self, asked: Asked, served_model: str | None) -> Counting:
        return of_messages(asked, served_model)
