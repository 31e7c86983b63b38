"""The boundary between the relay and an engine: one small adapter per engine, sans I/O, behind one protocol.

An adapter says what to send and how to read what comes back. It never opens a socket, waits or logs. Inside the gateway
every engine speaks one dialect, OpenAI's: what `StreamDecoder.feed` returns are chat.completion.chunk (or text_completion)
events as bytes, whole, and ready for a client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from hayate.errors import GatewayError
from hayate.wire.decoder import StreamDecoder
from hayate.wire.upstream_request import UpstreamRequest
from hayate.wire.usage import Usage


@dataclass(slots=True)
class WholeAnswer:
    """A non-streaming answer, in the client's dialect."""

    body: bytes
    usage: Usage
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """What an engine says it serves. `slots`: how many calls it works on at a time, where more would wait unnoticed."""

    models: tuple[str, ...]
    context_tokens: int | None = None
    slots: int | None = None


class Assembling(Protocol):
    """Joins the events of one stream into the whole answer. One per call."""

    def add(self, event: dict[str, Any]) -> None:
        """Takes one parsed event. Raises GatewayError when it tells the engine's error."""

    def answer(self) -> dict[str, Any]:
        """The whole answer."""


class Backend(Protocol):
    """One engine's HTTP API. One per deployment; it remembers nothing of calls, and of the engine only what `read_served` and
    `concede` heard.
    """

    name: str
    always_streams: bool
    """The engine is asked for a stream even when the client wants a whole answer, which is then assembled here."""
    lines_are_documents: bool
    """Its streams are JSON, a line for each event, whatever their content-type says."""

    def chat(self, fields: dict[str, Any], served_model: str | None) -> UpstreamRequest:
        """The request for one chat completion. Raises InvalidRequest or NotSupported for what the engine can't do."""

    def chat_decoder(self, fields: dict[str, Any]) -> StreamDecoder:
        """Reads the stream that answers `chat`."""

    def completion(self, fields: dict[str, Any], served_model: str | None) -> UpstreamRequest:
        """The request for one text completion."""

    def completion_decoder(self, fields: dict[str, Any]) -> StreamDecoder:
        """Reads the stream that answers `completion`."""

    def whole_answer(self, raw: bytes) -> WholeAnswer:
        """Reads a non-streaming answer. Raises UpstreamError."""

    def repeats(self, fields: dict[str, Any]) -> str:
        """What the engine repeats at the beginning of a whole answer and not in a stream, which matters if `always_streams`."""

    def streamed(self, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields of a completion that will be told as a whole, asked for as a stream; if `always_streams`."""

    def rest(self, fields: dict[str, Any], said: str, tokens: int) -> dict[str, Any] | None:
        """The fields that ask for the last `tokens` tokens of a text completion, which its stream left out after `said`; None where
        they can't be asked for.
        """

    def endpoint(self, path: str) -> str | None:
        """The engine's path for one of our relayed endpoints, or None when it has no such thing."""

    def relayed_fields(self, path: str, fields: dict[str, Any]) -> dict[str, Any]:
        """The fields of a relayed endpoint's request as this engine takes them. They may ask for a stream where the client wants a
        whole answer: `assembler` joins it.
        """

    def relayed_decoder(self, path: str, fields: dict[str, Any], model: str) -> StreamDecoder:
        """Reads the stream that answers it; `fields` are the client's, `model` is the engine's name for the model."""

    def assembler(self, path: str) -> Assembling | None:
        """What joins that stream where a stream is always asked for, else None."""

    def count_prompt(self, path: str, fields: dict[str, Any]) -> UpstreamRequest | None:
        """What asks the engine for the prompt's tokens, where that stream may end without having told them."""

    def error(self, status: int, raw: bytes, *, retry_after_s: float | None = None) -> GatewayError:
        """The engine's error answer as one of ours."""

    def concede(self, error: GatewayError) -> bool:
        """Leaves out from now on what the engine refuses and only the gateway adds. True when the call may pass, rendered anew."""

    def restore(self) -> None:
        """It was not that: adds it again."""

    def probe(self) -> UpstreamRequest:
        """Answers 200 when the engine can take calls."""

    canary: bool
    """Whether an engine that is silent is asked for one token, unless told otherwise: it works on several calls at a time, and its
    tokens cost nothing.
    """

    def asleep(self) -> UpstreamRequest | None:
        """Asks whether the model sleeps or is not loaded; None where there is no such thing."""

    def reads_asleep(self, answer: Any, served_model: str | None) -> bool:
        """Whether the parsed answer to `asleep` says so. Anything else means that it is awake."""

    def describe(self) -> tuple[UpstreamRequest, ...]:
        """Requests whose answers `read_served` understands: what the engine serves."""

    def read_served(self, answers: list[Any]) -> Served:
        """The parsed answers to `describe` (None for one that failed), read."""
