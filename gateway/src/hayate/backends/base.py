"""The boundary between the relay and an engine: one small adapter per engine, sans I/O, behind one protocol.

An adapter says what to send and how to read what comes back. It never opens a socket, waits or logs. Inside the gateway
every engine speaks one dialect, OpenAI's: what `StreamDecoder.feed` returns are chat.completion.chunk (or
text_completion) events as bytes, whole, and ready for a client.

A call is prepared once for the deployment that it goes to, and what it was prepared from may then be forgotten: an
answer can take long, and a prompt can be large.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from hayate.backends.control import Control
from hayate.errors import GatewayError
from hayate.policy.ceiling import Load
from hayate.wire.decoder import StreamDecoder
from hayate.wire.forms import Form
from hayate.wire.replies import ToEvents
from hayate.wire.upstream_request import UpstreamRequest
from hayate.wire.usage import Usage

Clock = Callable[[], float]
"""Gives seconds since 1970."""


@dataclass(slots=True)
class Asked:
    """What a client asks for, checked: the gateway's path, the model by the client's name for it, and the request's
    fields, or its form where it is one.
    """

    path: str
    model: str | None
    fields: dict[str, Any]
    streams: bool = False
    """Whether the client wants events."""
    form: Form | None = None


class Assembling(Protocol):
    """Joins the events of one stream into the whole answer. One per call."""

    def add(self, event: dict[str, Any]) -> None:
        """Takes one parsed event. Raises GatewayError when it tells the engine's error."""

    def answer(self) -> dict[str, Any]:
        """The whole answer, as the engine itself would have told it. Raises one of `UNREADABLE` when there is none."""


@dataclass(slots=True)
class Assembly:
    """How a whole answer is made where the client wants one and the engine is asked for a stream."""

    parts: Assembling
    count_prompt: UpstreamRequest | None = None
    """Asks the engine for the prompt's tokens, where its stream may end without having told them."""
    rest: Callable[[dict[str, Any]], UpstreamRequest | None] | None = None
    """Given the answer, what asks for the last tokens of its text, should the stream have left them out."""


@dataclass(slots=True)
class WholeAnswer:
    """A non-streaming answer, in the client's dialect."""

    body: bytes
    usage: Usage
    finish_reason: str | None = None


@dataclass(slots=True)
class Prepared:
    """One call as one engine takes it, and what reads its answer: made together, because the two depend on the same fields."""

    request: UpstreamRequest
    decoder: StreamDecoder | None = None
    """Reads the stream that answers `request`; None where no stream is asked for."""
    assembly: Assembly | None = None
    """Joins what `decoder` returns, where the client wants a whole answer."""
    to_events: ToEvents | None = None
    """Of a call that is asked in another dialect than the client's: puts a whole answer that comes in place of a stream into
    the events that `decoder` reads.
    """
    retell: Callable[[WholeAnswer], WholeAnswer] | None = None
    """Puts a whole answer of such a call into the client's dialect. Raises GatewayError."""
    tools_omitted: tuple[str, ...] = ()
    """The kinds of tools that the engine is not told of: what only OpenAI's servers, or no chat, could run."""


@dataclass(slots=True)
class Counting:
    """Asks an engine how many tokens a prompt has."""

    request: UpstreamRequest
    read: Callable[[bytes | None], Counting | int | None]
    """The answer's body, or None where that was no answer: the count, what to ask next, or None where it can't be told."""


@dataclass(frozen=True, slots=True)
class Served:
    """What an engine says it serves. `slots`: how many calls it works on at a time, where more would wait unnoticed."""

    models: tuple[str, ...]
    context_tokens: int | None = None
    slots: int | None = None
    images: bool | None = None
    """Whether its model takes pictures; None: it does not tell."""
    defaults: Mapping[str, float] = field(default_factory=dict)
    """What it samples with unless a request says otherwise (`backends.told`), as far as it tells."""


class Backend(Protocol):
    """One engine's HTTP API. One per deployment; it remembers nothing of calls, and of the engine only what
    `read_served` and `concede` heard.
    """

    name: str
    lines_are_documents: bool
    """Its streams are JSON, a line for each event, whatever their content-type says."""
    canary: bool
    """Whether an engine that is silent is asked for one token, unless told otherwise: it works on several calls at a
    time, and its tokens cost nothing.
    """

    def prepare(self, asked: Asked, served_model: str | None) -> Prepared:
        """The call as this engine takes it; `served_model` is its name for the model, None where it has told none.

        Raises InvalidRequest or NotSupported for what the engine can't do, UpstreamRefused while that is not known yet.
        """

    def counting(self, asked: Asked, served_model: str | None) -> Counting | Callable[[], int] | None:
        """How to find out how many tokens the call's prompt has, before it is made: what to ask the engine, or what counts them
        here (it takes its time, and touches nothing of the adapter's). None where nobody can tell.
        """

    def whole_answer(self, raw: bytes) -> WholeAnswer:
        """Reads a non-streaming answer to a completion. Raises UpstreamError."""

    def error(self, status: int, raw: bytes, *, retry_after_s: float | None = None) -> GatewayError:
        """The engine's error answer as one of ours."""

    def concede(self, error: GatewayError) -> bool:
        """Leaves out from now on what the engine refuses and only the gateway adds. True when the call may pass, prepared anew."""

    def restore(self) -> None:
        """It was not that: adds it again."""

    def lacks(self, path: str) -> bool:
        """The engine has said that it has no such path. True when the call may pass, prepared anew: another way is known."""

    def probe(self) -> UpstreamRequest:
        """Answers 200 when the engine can take calls."""

    def control(self, served_model: str | None) -> Control | None:
        """What takes the model into memory and out of it; None where the engine has no such thing."""

    def load(self) -> UpstreamRequest | None:
        """Asks how much the engine has to do; None where it tells nobody."""

    def read_load(self, body: bytes) -> Load | None:
        """The answer to `load`, read in linear time; None where it does not tell how many calls wait."""

    def describe(self) -> tuple[UpstreamRequest, ...]:
        """Requests whose answers `read_served` understands: what the engine serves."""

    def read_served(self, answers: list[Any]) -> Served:
        """The parsed answers to `describe` (None for one that failed), read."""
