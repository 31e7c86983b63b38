"""llama.cpp's own server.

What is special: it notices a caller that leaves only when it writes to it, so whatever generates is always asked for as
a stream, with progress events while it reads the prompt, and no more calls are sent than it has slots; when the first
token is part of a character no role is sent, nor the start of a message; with n > 1 it sends one usage event per
choice, each counting one choice.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from hayate.backends.adapter import Gauges, for_a_stream
from hayate.backends.base import Asked, Assembly, Counting, Prepared, Served
from hayate.backends.counting import TOKENIZE, number, of_messages
from hayate.backends.llamacpp_stream import LlamaCppStream
from hayate.backends.openai_compat import OpenAICompatible, OpenAIOptions
from hayate.backends.router_mode import RouterMode, props
from hayate.backends.told import sampling
from hayate.wire.assemble import Assembler
from hayate.wire.decoder import StreamDecoder
from hayate.wire.engine_json import read as read_json
from hayate.wire.engine_json import write
from hayate.wire.messages import MessageAssembler, StartingMessages
from hayate.wire.numbers import LIMITS
from hayate.wire.paths import CHAT, COMPLETIONS, COUNT_TOKENS, MESSAGES, RESPONSES, TEXT
from hayate.wire.responses import QuietResponses, ResponseAssembler
from hayate.wire.upstream_request import UpstreamRequest

_MOST_LEFT_OUT = 16
_ALONE = frozenset({"logprobs", "n_probs", "echo", "suffix", "grammar", "json_schema", "response_format"})
"""What says more about an answer than can be put together from two."""


class LlamaCppClient(OpenAICompatible):
    """llama-server."""

    name = "llamacpp"
    canary = True
    always_streams = True
    # Served if it was started with --metrics; wanted only of a server that does not tell its slots.
    _gauges = Gauges("/metrics", b"llamacpp:requests_processing", b"llamacpp:requests_deferred")
    _better_responses = "chat"  # its own events have no indices and no numbers, and tell a cut answer as a whole one

    def __init__(self, options: OpenAIOptions | None = None, *, model: str | None = None) -> None:
        super().__init__(options)
        self._model = model
        self._is_router = False

    def prepare(self, asked: Asked, served_model: str | None) -> Prepared:
        """A completion that the client wants whole is asked for as a stream, and joined."""
        if asked.streams or asked.path not in COMPLETIONS:
            return super().prepare(asked, served_model)
        fields, chat = for_a_stream(asked.fields), asked.path == CHAT
        if not chat:
            # A text's chunks say how many tokens they come to: so it shows when the stream has left out the last ones.
            fields["timings_per_token"] = True
        prepared = super().prepare(Asked(asked.path, asked.model, fields, streams=True), served_model)
        assembler = Assembler(chat=chat, prefix=_repeated(asked.fields))
        rest = None if chat else self._rest(asked.fields, served_model, assembler)
        prepared.assembly = Assembly(assembler, rest=rest)
        return prepared

    def counting(self, asked: Asked, served_model: str | None) -> Counting | Callable[[], int] | None:
        """The same request at a path of its own, where the server has the path itself."""
        if asked.path != RESPONSES or self._has_chat_alone_for(RESPONSES):
            return super().counting(asked, served_model)
        body = write(_naming(asked.fields, served_model))
        return Counting(UpstreamRequest(f"{RESPONSES}/input_tokens", body), number("input_tokens"))

    def _counting_chat(self, asked: Asked, served_model: str | None) -> Counting:
        """Servers of before 2026 only make the prompt, and count a text."""
        body, told = write(_naming({**asked.fields, "stream": False}, served_model)), number("input_tokens")

        def read(answer: bytes | None) -> Counting | int | None:
            if answer is not None:
                return told(answer)
            return Counting(UpstreamRequest("/apply-template", body), partial(_tokenized, served_model))

        return Counting(UpstreamRequest(f"{CHAT}/input_tokens", body), read)

    def _counting_messages(self, asked: Asked, served_model: str | None) -> Counting:
        return of_messages(asked, served_model)

    def probe(self) -> UpstreamRequest:
        """503 while the model loads."""
        return UpstreamRequest("/health", method=b"GET")

    def control(self, served_model: str | None) -> RouterMode:
        """Router mode, of a server that runs in it."""
        return RouterMode(self._model or served_model)

    def describe(self) -> tuple[UpstreamRequest, ...]:
        """The model list, and /props for the slots and the context of one slot; a router has them of a loaded model alone."""
        return (UpstreamRequest("/v1/models", method=b"GET"), props(self._model if self._is_router else None))

    def read_served(self, answers: list[Any]) -> Served:
        """The context is split over the slots: `n_ctx` of /props is what one call has. A router lists models of others, too.
        Servers of before 2026 tell of pictures in /props alone.
        """
        served = super().read_served(answers[:1])
        self._is_router = _is_router(answers[0])
        models = (self._model,) if self._is_router and self._model is not None else served.models
        props = answers[1] if len(answers) > 1 and isinstance(answers[1], dict) else {}
        settings = props.get("default_generation_settings") or {}
        images = (props.get("modalities") or {}).get("vision") if served.images is None else served.images
        return Served(
            models,
            _count(settings.get("n_ctx")),
            slots=_count(props.get("total_slots")),
            images=images if isinstance(images, bool) else None,
            defaults=sampling(settings.get("params")),
        )

    def _sent(self, asked: Asked, served_model: str | None) -> dict[str, Any]:
        """Asks for an event per batch of the prompt: the writes by which a caller's leaving is noticed."""
        return {"return_progress": True, **super()._sent(asked, served_model)}

    def _decoder(self, asked: Asked) -> StreamDecoder:
        """Adds the role that a chat may miss, joins the usage events, takes out the progress that only we asked for."""
        return LlamaCppStream(asked.fields, roles=asked.path == CHAT)

    def _passed(self, asked: Asked, served_model: str | None) -> Prepared:
        """What generates is always asked for as a stream, as chat is; Messages have no progress."""
        path, fields = asked.path, asked.fields
        if asked.form is not None or path not in (RESPONSES, MESSAGES) or self._has_chat_alone_for(path):
            return super()._passed(asked, served_model)
        sent = {**fields, "stream": True} if path == MESSAGES else {"return_progress": True, **fields, "stream": True}
        prepared = super()._passed(Asked(path, asked.model, sent, streams=True), served_model)
        if path == MESSAGES:
            model = served_model or asked.model or "default"
            prepared.decoder = StartingMessages(message_id=f"msg_{secrets.token_hex(12)}", model=model)
        elif not fields.get("return_progress"):
            prepared.decoder = QuietResponses()
        if not asked.streams:
            assembly = Assembly(ResponseAssembler()) if path == RESPONSES else _of_messages(fields, served_model)
            prepared.assembly = assembly
        return prepared

    def _rest(
        self, fields: dict[str, Any], served_model: str | None, assembler: Assembler
    ) -> Callable[[dict[str, Any]], UpstreamRequest | None] | None:
        """What asks for the end of a text. None where it can't be put together from two answers.

        A stream that `max_tokens` ends inside a character leaves out that token with all it holds, whole characters
        included; nobody has seen it, so it may be made anew, as the end of a prompt that says the rest.
        """
        prompt = fields.get("prompt")
        if not isinstance(prompt, str) or not _ALONE.isdisjoint(fields):
            return None
        names = [name for name in LIMITS if name in fields] or ["max_tokens"]

        def rest(answer: dict[str, Any]) -> UpstreamRequest | None:
            tokens = assembler.left_out(answer)
            if not 0 < tokens <= _MOST_LEFT_OUT:
                return None
            said = prompt + answer["choices"][0]["text"]
            sent: dict[str, Any] = {**fields, "prompt": said, **dict.fromkeys(names, tokens), "stream": False}
            return UpstreamRequest(TEXT, orjson.dumps(self._sent(Asked(TEXT, None, sent), served_model)))

        return rest


def _naming(fields: dict[str, Any], served_model: str | None) -> dict[str, Any]:
    """A router finds its models by their names; a server with one model minds none."""
    return fields if served_model is None else {**fields, "model": served_model}


def _of_messages(fields: dict[str, Any], served_model: str | None) -> Assembly:
    """The start that a stream of Messages may lack would have had the prompt's tokens."""
    return Assembly(MessageAssembler(), UpstreamRequest(COUNT_TOKENS, write(_naming(fields, served_model))))


def _repeated(fields: dict[str, Any]) -> str:
    """What a whole answer begins with and a stream does not: the text of a last message of the assistant's, which the
    answer continues; its text parts become paragraphs.
    """
    messages = fields.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    if not isinstance(last, dict) or last.get("role") != "assistant":
        return ""
    content = last.get("content")
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, dict)]
        return "\n\n".join(text for text in texts if isinstance(text, str))
    return content if isinstance(content, str) else ""


def _tokenized(served_model: str | None, answer: bytes | None) -> Counting | None:
    """What asks for the tokens of the prompt that the server has made of messages."""
    prompt = None if answer is None else read_json(answer)["prompt"]
    if not isinstance(prompt, str):
        return None
    asked = _naming({"content": prompt, "add_special": True, "parse_special": True}, served_model)
    return Counting(UpstreamRequest(TOKENIZE, write(asked)), _listed)


def _listed(answer: bytes | None) -> int | None:
    """How many tokens are listed: there may be more of them than should be parsed while everybody waits."""
    return None if answer is None else answer.count(b",") + 1


def _is_router(listed: object) -> bool:
    """By its list of models, each with its status."""
    models = listed.get("data") if isinstance(listed, dict) else None
    return isinstance(models, list) and any(isinstance(each, dict) and "status" in each for each in models)


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
