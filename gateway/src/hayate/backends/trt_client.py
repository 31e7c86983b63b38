"""trtllm-serve, TensorRT-LLM's OpenAI-compatible server.

What is special: a closed request schema, priorities the other way round (both in `trt_request`); flat errors, and
validation errors as one string; a model name that must be sent and is not checked; chunks without `finish_reason` until
the last, with an empty `reasoning_content`; finish reasons `timeout` and `cancelled`. A client that leaves is noticed
within a second. Prometheus metrics are at /prometheus/metrics: /metrics is a list that reading empties.
"""

from __future__ import annotations

import re
from typing import Any

from hayate.backends.adapter import Gauges
from hayate.backends.base import Asked, WholeAnswer
from hayate.backends.openai_compat import OpenAICompatible
from hayate.backends.trt_request import chat_body, text_body
from hayate.backends.trt_stream import GIVEN_UP, TrtLLMStream
from hayate.errors import GatewayError
from hayate.upstream_errors import EngineError
from hayate.wire.engine_errors import verdict
from hayate.wire.faults import given_up
from hayate.wire.paths import CHAT, COUNT_TOKENS, EMBEDDINGS, MESSAGES
from hayate.wire.upstream_request import UpstreamRequest

_FAULT = re.compile(r"'loc': \('body', (?P<path>[^)]*)\), 'msg': (?P<text>'[^']*'|\"[^\"]*\")")


class TrtLLMClient(OpenAICompatible):
    """trtllm-serve."""

    name = "trtllm"
    canary = True
    _stream = TrtLLMStream
    _gauges = Gauges(
        "/prometheus/metrics",
        b"trtllm_num_requests_running",
        b"trtllm_num_requests_waiting",
        (b"trtllm_kv_cache_utilization",),
    )  # older releases don't tell how many wait
    heeds_parallel_tool_calls = False  # it takes the field
    # Not its /v1/responses: that schema is closed, too, and not every release has it.
    passes = frozenset({EMBEDDINGS, MESSAGES, COUNT_TOKENS})

    def whole_answer(self, raw: bytes) -> WholeAnswer:
        """As OpenAI's, unless the engine gave up in the middle."""
        answer = super().whole_answer(raw)
        if answer.finish_reason in GIVEN_UP:
            raise given_up(answer.finish_reason)
        return answer

    def error(self, status: int, raw: bytes, *, retry_after_s: float | None = None) -> GatewayError:
        """A validation error is a list of Python objects as text: the first fault is taken out of it."""
        error = super().error(status, raw, retry_after_s=retry_after_s)
        if isinstance(error, EngineError) and (fault := _FAULT.search(error.english)):
            param = ".".join(part.strip(" '\"") for part in fault["path"].split(",") if part.strip())
            return verdict(f"'{param}': {fault['text'][1:-1]}.", status=error.status, param=param)
        return error

    def probe(self) -> UpstreamRequest:
        """200 while the engine lives."""
        return UpstreamRequest("/health", method=b"GET")

    def _sent(self, asked: Asked, served_model: str | None) -> dict[str, Any]:
        body = chat_body(asked.fields) if asked.path == CHAT else text_body(asked.fields)
        # A model must be named, and any name will do; answers repeat it.
        return {**body, "model": served_model or "default"}
