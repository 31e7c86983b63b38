"""Ollama, through its own API.

What is special: the context is set with every request, always to the same size (another size would make Ollama load the
model anew), and a prompt that does not fit is an error instead of being cut (`ollama_request`); answers are NDJSON
(`ollama_stream`). Its /v1 is used for embeddings alone, where no context is lost.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson

from hayate.backends.base import Clock, Served
from hayate.backends.keep_alive import KeepAlive, named
from hayate.backends.ollama_request import chat_body, generate_body
from hayate.backends.ollama_stream import OllamaStream
from hayate.backends.options import at_least_one
from hayate.backends.told import MAX_TOKENS, sampling
from hayate.backends.translated import TranslatingAdapter
from hayate.errors import GatewayError
from hayate.wire.decoder import StreamDecoder
from hayate.wire.engine_errors import parse_error
from hayate.wire.paths import EMBEDDINGS
from hayate.wire.upstream_request import UpstreamRequest

DEFAULT_NUM_CTX = 8192


@dataclass(frozen=True, slots=True)
class OllamaOptions:
    """What an Ollama deployment can be told."""

    num_ctx: int | None = None
    """The context in tokens; the deployment's `context_tokens` when unset, else 8192."""
    keep_alive: str | int | float | None = None
    """How long the model stays loaded after a call: seconds, or text such as `30m`; -1 is for ever. Ollama's own default is 5m."""
    num_parallel: int | None = None
    """How many calls it works on at a time: what its own OLLAMA_NUM_PARALLEL says, which it tells nobody."""

    def __post_init__(self) -> None:
        at_least_one("num_ctx", self.num_ctx)
        at_least_one("num_parallel", self.num_parallel)


class OllamaClient(TranslatingAdapter):
    """Ollama."""

    name = "ollama"
    canary = False  # it works on one call at a time unless told otherwise: a canary would wait behind a long prompt
    lines_are_documents = True
    passes = frozenset({EMBEDDINGS})  # its other /v1 endpoints could not be given a context

    def __init__(
        self,
        options: OllamaOptions | None = None,
        *,
        model: str | None = None,
        context_tokens: int | None = None,
        clock: Clock = time.time,
    ) -> None:
        super().__init__(clock)
        options = options or OllamaOptions()
        self._model = model
        self._num_ctx = options.num_ctx or context_tokens or DEFAULT_NUM_CTX
        self._keep_alive = options.keep_alive
        self._slots = options.num_parallel

    def error(self, status: int, raw: bytes, *, retry_after_s: float | None = None) -> GatewayError:
        """`{"error":"text"}`; the text may be the JSON of the llama-server inside."""
        try:
            text = orjson.loads(raw)["error"]
            inner = text[text.index("{") :].encode()
            orjson.loads(inner)
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError):
            inner = raw
        return parse_error(status, inner, retry_after_s=retry_after_s)

    def probe(self) -> UpstreamRequest:
        """Answers 200 when the model has been pulled; without a configured model, when Ollama runs."""
        if self._model is None:
            return UpstreamRequest("/api/version", method=b"GET")
        return self._request("/api/show", {"model": self._model})

    def control(self, served_model: str | None) -> KeepAlive:
        """Its keep_alive."""
        return KeepAlive(self._model or served_model, self._num_ctx)

    def describe(self) -> tuple[UpstreamRequest, ...]:
        """The models that have been pulled, and what there is to say of the configured one."""
        tags = UpstreamRequest("/api/tags", method=b"GET")
        return (tags,) if self._model is None else (tags, self._request("/api/show", {"model": self._model}))

    def read_served(self, answers: list[Any]) -> Served:
        """One model per deployment: the configured one, else the first that Ollama lists. The context is what we set."""
        if self._model is not None:
            shown = answers[1] if len(answers) > 1 and isinstance(answers[1], dict) else {}
            can = shown.get("capabilities")
            images = "vision" in can if isinstance(can, list) else None
            return Served((self._model,), self._num_ctx, self._slots, images, _defaults(shown.get("parameters")))
        listed = answers[0].get("models") if isinstance(answers[0], dict) else None
        names = [each["name"] for each in listed or () if isinstance(each, dict) and isinstance(each.get("name"), str)]
        return Served(tuple(names[:1]), self._num_ctx, self._slots)

    def _translated(
        self, fields: dict[str, Any], served_model: str | None, *, chat: bool
    ) -> tuple[UpstreamRequest, StreamDecoder]:
        """POST /api/chat or /api/generate; their NDJSON becomes chunks."""
        model, num_ctx = named(served_model), self._num_ctx
        if chat:
            request = self._request("/api/chat", chat_body(fields, model=model, num_ctx=num_ctx))
        else:
            request = self._request("/api/generate", generate_body(fields, model=model, num_ctx=num_ctx))
        label = self._model or fields.get("model") or "default"
        return request, OllamaStream(self._writer(fields, label, chat=chat), chat=chat)

    def _request(self, path: str, body: dict[str, Any]) -> UpstreamRequest:
        if self._keep_alive is not None and path != "/api/show":
            body["keep_alive"] = self._keep_alive
        return UpstreamRequest(path, orjson.dumps(body))


def _defaults(parameters: object) -> dict[str, float]:
    """What a Modelfile sets: a line each, `temperature 0.6`. Of what it leaves open nothing is told."""
    found: dict[str, float] = {}
    for line in parameters.splitlines() if isinstance(parameters, str) else ():
        name, _, value = line.partition(" ")
        with suppress(ValueError):
            if name == "num_predict":
                found[MAX_TOKENS] = int(value)
            else:
                found[name] = float(value)
    return sampling(found)
