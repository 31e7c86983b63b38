"""trtllm-serve, TensorRT-LLM's OpenAI-compatible server.

What is special: a closed request schema, priorities the other way round (both in `wire.trtllm`); flat errors, and validation errors
as one string; a model name that must be sent and is not checked; chunks without `finish_reason` until the last, with an empty
`reasoning_content`; finish reasons `timeout` and `cancelled`. A client that leaves is noticed within a second. Prometheus
metrics are at /prometheus/metrics: /metrics is a list that reading empties.
"""

from __future__ import annotations

import re
from typing import Any

from hayate.backends.base import Asked, WholeAnswer
from hayate.backends.openai_compat import OpenAICompatible, choices_of, wants_usage
from hayate.backends.trt_request import chat_body, text_body
from hayate.errors import EngineError, GatewayError
from hayate.wire import sse
from hayate.wire.decoder import StreamDecoder
from hayate.wire.engine_json import write
from hayate.wire.faults import given_up
from hayate.wire.openai_stream import OpenAIStream
from hayate.wire.paths import CHAT, EMBEDDINGS, MESSAGES, RESPONSES
from hayate.wire.upstream_request import UpstreamRequest

_FAULT = re.compile(r"'loc': \('body', (?P<path>[^)]*)\), 'msg': (?P<text>'[^']*'|\"[^\"]*\")")


class TrtLLMClient(OpenAICompatible):
    """trtllm-serve."""

    name = "trtllm"
    canary = True
    passes = frozenset({EMBEDDINGS, RESPONSES, MESSAGES, "/v1/messages/count_tokens"})

    def whole_answer(self, raw: bytes) -> WholeAnswer:
        """As OpenAI's, unless the engine gave up in the middle."""
        answer = super().whole_answer(raw)
        if answer.finish_reason in _GIVEN_UP:
            raise given_up(answer.finish_reason)
        return answer

    def error(self, status: int, raw: bytes, *, retry_after_s: float | None = None) -> GatewayError:
        """A validation error is a list of Python objects as text: the first fault is taken out of it."""
        error = super().error(status, raw, retry_after_s=retry_after_s)
        if isinstance(error, EngineError) and (fault := _FAULT.search(error.english)):
            param = ".".join(part.strip(" '\"") for part in fault["path"].split(",") if part.strip())
            text = f"'{param}': {fault['text'][1:-1]}."
            return EngineError(text, f"エンジンがエラーを返しました: {text}", status=error.status, param=param)
        return error

    def probe(self) -> UpstreamRequest:
        """200 while the engine lives."""
        return UpstreamRequest("/health", method=b"GET")

    def _sent(self, asked: Asked, served_model: str | None) -> dict[str, Any]:
        body = chat_body(asked.fields) if asked.path == CHAT else text_body(asked.fields)
        # A model must be named, and any name will do; answers repeat it.
        return {**body, "model": served_model or "default"}

    def _decoder(self, asked: Asked) -> StreamDecoder:
        """Events with what the engine leaves out."""
        return TrtLLMStream(keep_usage=wants_usage(asked.fields), choices=choices_of(asked.fields))


class TrtLLMStream(OpenAIStream):
    """OpenAI's stream with trtllm-serve's gaps filled."""

    _mends_first = True

    __slots__ = ("_named_calls",)

    def __init__(self, *, keep_usage: bool, choices: int = 1) -> None:
        super().__init__(keep_usage=keep_usage, choices=choices)
        self._named_calls: set[tuple[int, int]] = set()

    def _chunk(self, event: dict[str, Any], frame: bytes) -> bytes:
        for choice in event["choices"]:
            reason = choice.setdefault("finish_reason", None)
            if reason in _GIVEN_UP:
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


_GIVEN_UP = ("timeout", "cancelled")
