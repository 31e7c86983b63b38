"""Any engine with OpenAI's API, and what the engines that mostly have it share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from hayate.backends.adapter import Adapter
from hayate.backends.base import Asked, Prepared, Served, WholeAnswer
from hayate.backends.told import common, same, sampling, takes_images
from hayate.errors import GatewayError
from hayate.wire.decoder import StreamDecoder
from hayate.wire.engine_errors import engine_error, parse_error
from hayate.wire.engine_json import TooDense, Unreadable, read
from hayate.wire.faults import given_up
from hayate.wire.fields import with_some_top_p
from hayate.wire.glance import reasons_in, usage_in
from hayate.wire.openai_stream import OpenAIStream
from hayate.wire.paths import COMPLETIONS, PASSTHROUGH
from hayate.wire.replies import no_events
from hayate.wire.upstream_request import UpstreamRequest
from hayate.wire.usage import Usage

_MULTIPLY = frozenset({"n", "prompt"})
"""What may ask for more than one answer."""


@dataclass(frozen=True, slots=True)
class OpenAIOptions:
    """What a deployment of an engine with OpenAI's API can be told."""

    responses: Literal["engine", "chat"] | None = None
    """Who makes /v1/responses: the engine, if it has them, or the gateway, of the engine's chat. Unset: whichever is better."""


class OpenAICompatible(Adapter):
    """OpenAI's API as it is. Engines with manners of their own override what differs."""

    name = "openai"
    canary = False  # what lies behind may be a remote API, whose tokens cost money
    _takes_stream_options = True
    _takes_top_p_0 = True
    _stream = OpenAIStream
    """What reads the engine's events."""
    passes = PASSTHROUGH
    _better_responses: Literal["engine", "chat"] = "engine"

    def __init__(self, options: OpenAIOptions | None = None) -> None:
        if ((options or OpenAIOptions()).responses or self._better_responses) == "chat":
            self._chat_until_s = math.inf

    def prepare(self, asked: Asked, served_model: str | None) -> Prepared:
        """The path is the engine's too, and so are the fields, but for what `_sent` puts otherwise."""
        path, streams = asked.path, asked.streams
        if path not in COMPLETIONS:
            return self._passed(asked, served_model)
        request = UpstreamRequest(path, orjson.dumps(self._sent(asked, served_model)), b"POST", streams)
        return Prepared(request, self._decoder(asked) if streams else None)

    def whole_answer(self, raw: bytes) -> WholeAnswer:
        """Usage and finish reason are read; the bytes stay as they came."""
        try:
            answer = read(raw)
        except TooDense:
            return _glanced_at(raw)
        except Unreadable:
            raise no_events(raw) from None
        choices = answer.get("choices") if type(answer) is dict else None
        if type(choices) is not list or answer.get("error"):
            raise engine_error(500, answer)
        usage = Usage()
        usage.take(answer.get("usage"))
        if not usage.told:
            _estimate(usage, choices)
        if len(choices) == 1 and type(choices[0]) is dict:
            reason = choices[0].get("finish_reason")
        else:
            reasons = [choice.get("finish_reason") for choice in choices if isinstance(choice, dict)]
            reason = "abort" if "abort" in reasons else next(iter(reasons), None)
        if reason == "abort":
            raise given_up("abort")
        return WholeAnswer(raw, usage, reason if type(reason) is str else None)

    def error(self, status: int, raw: bytes, *, retry_after_s: float | None = None) -> GatewayError:
        """By the shapes of all engines that speak OpenAI's, or nearly (`wire.engine_errors`)."""
        return parse_error(status, raw, retry_after_s=retry_after_s)

    def concede(self, error: GatewayError) -> bool:
        """An engine may refuse `stream_options` (strict schemas, older vLLM): it is not sent again, and usage is estimated."""
        refused = self._takes_stream_options and "stream_options" in error.english
        if refused:
            self._takes_stream_options = False
        return refused

    def restore(self) -> None:
        """`stream_options` was not what the engine minded."""
        self._takes_stream_options = True

    def probe(self) -> UpstreamRequest:
        """OpenAI's API has no health endpoint; the model list is the cheapest question it answers."""
        return UpstreamRequest("/v1/models", method=b"GET")

    def describe(self) -> tuple[UpstreamRequest, ...]:
        """The model list is all that OpenAI's API tells of an engine."""
        return (UpstreamRequest("/v1/models", method=b"GET"),)

    def read_served(self, answers: list[Any]) -> Served:
        """Model ids, vLLM's and SGLang's `max_model_len`, and what else OpenRouter, llama.cpp and other gateways tell. Of several
        models, what all have in common.
        """
        listed = answers[0].get("data") if isinstance(answers[0], dict) else None
        models = (
            [each for each in listed if isinstance(each, dict) and isinstance(each.get("id"), str)]
            if isinstance(listed, list)
            else []
        )
        lengths = [each["max_model_len"] for each in models if isinstance(each.get("max_model_len"), int)]
        return Served(
            tuple(each["id"] for each in models),
            min(lengths, default=None),
            images=same(map(takes_images, models)),
            defaults=common(sampling(each.get("default_parameters")) for each in models),
        )

    def _decoder(self, asked: Asked) -> StreamDecoder:
        """What was asked for decides what is read: usage that only the gateway wants is taken out again."""
        fields = asked.fields
        keep_usage = "stream_options" in fields and wants_usage(fields)
        choices = 1 if _MULTIPLY.isdisjoint(fields) else choices_of(fields)
        return self._stream(keep_usage=keep_usage, choices=choices)

    def _sent(self, asked: Asked, served_model: str | None) -> dict[str, Any]:
        """The body of a completion as this engine takes it, a new dict: its own name for the model, and the usage of a stream."""
        sent = asked.fields.copy()
        if "top_p" in sent and not self._takes_top_p_0:
            sent = with_some_top_p(sent)
        if served_model is not None:
            sent["model"] = served_model
        else:
            sent.pop("model", None)
        if sent.get("stream") and self._takes_stream_options:
            sent["stream_options"] = {**(sent.get("stream_options") or {}), "include_usage": True}
        elif "stream_options" in sent:
            del sent["stream_options"]
        return sent


def wants_usage(fields: dict[str, Any]) -> bool:
    """Whether the client asked for usage in its stream."""
    options = fields.get("stream_options")
    return bool(isinstance(options, dict) and options.get("include_usage"))


def choices_of(fields: dict[str, Any]) -> int:
    """How many answers the client asked for: so many to each of its prompts."""
    n = fields.get("n")
    each = n if isinstance(n, int) and n > 0 else 1
    return each * prompts_of(fields) if "prompt" in fields else each


def prompts_of(fields: dict[str, Any]) -> int:
    """How many prompts there are: a text completion may have a list of texts, or of lists of tokens."""
    prompt = fields.get("prompt")
    return len(prompt) if isinstance(prompt, list) and prompt and not isinstance(prompt[0], int) else 1


def _estimate(usage: Usage, choices: list[Any]) -> None:
    for choice in choices:
        if isinstance(choice, dict):
            message = choice.get("message")
            usage.said(message.get("content") if isinstance(message, dict) else choice.get("text"))


def _glanced_at(raw: bytes) -> WholeAnswer:
    """An answer full of log probabilities, as it came."""
    reasons = reasons_in(raw)
    if reasons is None:
        raise no_events(raw)
    if "abort" in reasons:
        raise given_up("abort")
    usage = Usage()
    usage.take(usage_in(raw))
    return WholeAnswer(raw, usage, reasons[0] if reasons else None)
