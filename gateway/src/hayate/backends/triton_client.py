"""Triton's generate_stream in front of TensorRT-LLM: the classic `ensemble` and the newer `tensorrt_llm` model.

What is special: it takes a prompt, so the chat template is rendered here, with the model's own tokenizer files; which
inputs the model has is read from its configuration (`triton_request`); finish reason and usage are supplied
(`triton_stream`); an error before the first output is a 400 whose body is an event.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from hayate.backends import triton_request as triton
from hayate.backends.base import Asked, Clock, Served
from hayate.backends.options import at_least_one
from hayate.backends.prompts import PromptMaker, answer_limit
from hayate.backends.told import MAX_TOKENS
from hayate.backends.translated import TranslatingAdapter
from hayate.backends.triton_stream import TritonStream
from hayate.errors import GatewayError
from hayate.upstream_errors import UpstreamRefused
from hayate.wire import sse
from hayate.wire.decoder import StreamDecoder
from hayate.wire.engine_errors import parse_error
from hayate.wire.fields import limit_to_send, one_prompt, stop_strings
from hayate.wire.upstream_request import UpstreamRequest


@dataclass(frozen=True, slots=True)
class TritonOptions:
    """What a Triton deployment can be told."""

    tokenizer: str | None = None
    """A folder or Hub id with the model's tokenizer files; HAYATE_TOKENIZER when unset, else the deployment's `model`."""
    model: str | None = None
    """The name on Triton; found among TensorRT-LLM's usual names when unset."""
    max_tokens: int = 1024
    """The answer's limit when the request has none and `context_tokens` is unset too: these models must be given one."""
    text_output: Literal["auto", "delta", "cumulative"] = "auto"
    """Whether an event holds the new text or the whole text so far."""
    adds_bos: bool | None = None
    """Whether the engine puts the first special token before the prompt; unset: the newer model does, the classic does not."""

    def __post_init__(self) -> None:
        at_least_one("max_tokens", self.max_tokens)


class TritonClient(TranslatingAdapter):
    """tritonserver."""

    name = triton.ENGINE
    canary = True

    def __init__(
        self,
        prompts: PromptMaker,
        options: TritonOptions | None = None,
        *,
        model: str | None = None,
        context_tokens: int | None = None,
        clock: Clock = time.time,
    ) -> None:
        super().__init__(clock)
        self._prompts = prompts
        self._options = options or TritonOptions()
        self._model = model
        self._context_tokens = context_tokens
        self._layout: triton.Layout | None = None

    def error(self, status: int, raw: bytes, *, retry_after_s: float | None = None) -> GatewayError:
        """`{"error":"text"}`, as JSON or as the data of one event."""
        return parse_error(status, sse.data_of(raw) or raw, retry_after_s=retry_after_s)

    def probe(self) -> UpstreamRequest:
        """200 when the server is up and every model is loaded."""
        return UpstreamRequest("/v2/health/ready", method=b"GET")

    def describe(self) -> tuple[UpstreamRequest, ...]:
        """The configuration of each model that may be meant."""
        names = triton.candidates(self._options.model, self._model)
        return tuple(UpstreamRequest(f"{triton.model_path(name)}/config", method=b"GET") for name in names)

    def read_served(self, answers: list[Any]) -> Served:
        """The model that takes prompts; its layout is remembered, because every later request depends on it."""
        layout = triton.best_layout(answers, self._options.model or self._model)
        if layout is None:
            return Served(())
        self._layout = layout
        limit = {} if self._context_tokens is not None else {MAX_TOKENS: self._options.max_tokens}
        return Served((self._model or layout.model,), self._context_tokens, images=False, defaults=limit)

    def _counting_chat(self, asked: Asked, served_model: str | None) -> Callable[[], int]:
        """The prompt is rendered here, so it can be counted here."""
        return lambda: self._prompts.count(self._chat_prompt(asked.fields))

    def _translated(
        self, fields: dict[str, Any], served_model: str | None, *, chat: bool
    ) -> tuple[UpstreamRequest, StreamDecoder]:
        """POST /v2/models/NAME/generate_stream with the rendered prompt, or the caller's; its text events become chunks."""
        prompt = self._chat_prompt(fields) if chat else one_prompt(triton.ENGINE, triton.text_fields(fields)["prompt"])
        layout = self._known_layout()
        limit = self._limit(fields, prompt)
        body = triton.model_inputs(layout, fields, self._without_bos(layout, prompt), limit)
        text_output = self._options.text_output
        decoder = TritonStream(
            self._writer(fields, self._model or layout.model, chat=chat),
            cumulative=layout.cumulative if text_output == "auto" else text_output == "cumulative",
            stops=stop_strings(fields),
            prompt=prompt,
            max_tokens=limit,
            count=self._prompts.count,
        )
        return UpstreamRequest(f"{triton.model_path(layout.model)}/generate_stream", orjson.dumps(body)), decoder

    def _chat_prompt(self, fields: dict[str, Any]) -> str:
        asked = triton.chat_fields(fields)
        return self._prompts.render(asked["messages"], **asked.get("chat_template_kwargs", {}))

    def _without_bos(self, layout: triton.Layout, prompt: str) -> str:
        """The prompt without its first special token, where the template has written that and the engine would write it again."""
        adds_bos = layout.newer if self._options.adds_bos is None else self._options.adds_bos
        return prompt.removeprefix(self._prompts.begins_with) if adds_bos else prompt

    def _limit(self, fields: dict[str, Any], prompt: str) -> int:
        if self._context_tokens is None:
            return limit_to_send(fields) or self._options.max_tokens
        return answer_limit(limit_to_send(fields), self._prompts.count(prompt), self._context_tokens)

    def _known_layout(self) -> triton.Layout:
        if self._layout is None:
            raise UpstreamRefused(
                "Triton has not yet said which inputs its model takes. Try again shortly.",
                "Tritonのモデルの入力がまだ分かっていません。少し待ってからお試しください。",
                retry_after_s=1,
            )
        return self._layout
