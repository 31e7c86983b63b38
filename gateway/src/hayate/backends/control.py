"""How an engine that already runs is asked to take its model into memory, and to let go of it.

Sans I/O, as all adapters are: what to send, and how to read what comes back. Rule: `ask` changes nothing at the engine, and
`read` says what it can't tell as None, never as a guess: memory is given to another model because of it.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol

import orjson

from hayate.language import Text
from hayate.wire.upstream_request import UpstreamRequest

By = Literal["sleep", "keep_alive", "router"]
"""vLLM's sleep mode; Ollama's keep_alive; llama.cpp's router mode."""


class Control(Protocol):
    """One engine's, for one model."""

    how: ClassVar[By]
    missing: ClassVar[Text]
    """What the operator is told where the engine has none of these paths."""

    def ask(self) -> UpstreamRequest:
        """Asks whether the model is in memory."""

    def read(self, status: int, body: bytes) -> bool | None:
        """The answer to `ask`; None when it does not tell, or when the model is on its way."""

    def sleeps(self, status: int, body: bytes) -> bool:
        """Whether the answer to `ask` says that a call would have to wait until the model is in memory again."""

    def look(self) -> UpstreamRequest | None:
        """Asks what `load` has to know; None where that is nothing."""

    def load(self, seen: bytes) -> tuple[UpstreamRequest, ...]:
        """What brings the model into memory, one after the other, each once the one before has been answered with 2xx.
        `seen` answers `look`, and is empty where that had no answer. Raises UpstreamRefused when no model is known.
        """

    def unload(self, *, at_once: bool = False) -> tuple[UpstreamRequest, ...]:
        """What frees its memory, in the same way; `at_once`: whatever it is doing, where it would wait for that."""

    def why(self) -> UpstreamRequest | None:
        """Asks what became of a model that was to be loaded and is not; None where the answer to `load` has said it."""

    def read_why(self, body: bytes) -> Text | None:
        """The answer to `why`; None when it does not tell."""


def parsed(body: bytes) -> object:
    """An answer's JSON; None when it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
