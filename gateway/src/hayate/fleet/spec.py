"""The plain values that a deployment is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hayate.backends.base import Backend
from hayate.settings import LLAMACPP, Capacity, Run, Timeouts

KEY_SHOWN = "[key]"
"""What stands where an engine repeats the gateway's key."""
NO_PROBE = "none"
"""What `DeploymentSpec.probe` says when nothing but calls may ask the engine."""


@dataclass(frozen=True)
class DeploymentSpec(Capacity):
    """One deployment as configured, with its adapter already made.

    `probe` is a path of the engine's, NO_PROBE, or None for the adapter's own; `canary` None leaves it to the adapter.
    """

    name: str
    backend: Backend
    model: str | None
    replicas: tuple[str, ...]
    credentials: tuple[tuple[bytes, bytes], ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    probe: str | None = None
    canary: bool | None = None
    run: Run | Literal["llamacpp"] | None = None
    """How the gateway runs the engine itself; None: it runs already."""

    def without_key(self, answer: bytes) -> bytes:
        """An engine's words as callers may see them: some repeat the key that they refuse."""
        for secret in self.secrets:
            answer = answer.replace(secret, KEY_SHOWN.encode())
        return answer

    @property
    def identity(self) -> tuple[object, ...]:
        """What its engine is made of: with another one, another engine has to take its place."""
        if self.run is None:
            return (self.backend.name, self.replicas, self.credentials, self.model)
        if self.run == LLAMACPP:
            return (self.backend.name, self.run, self.model, self.context_tokens, self.max_in_flight)
        return (self.backend.name, self.run, self.model)

    @property
    def named(self) -> str | None:
        """What its engine calls the model, where that is configured; the file that one is run with is not what it calls it."""
        return None if self.run == LLAMACPP else self.model

    @property
    def queue_s(self) -> float:
        """How long a call waits for its place at most: unless said, as long as it would have waited in the engine's queue."""
        return self.timeouts.first_byte_s if self.queue_timeout_s is None else self.queue_timeout_s

    @property
    def secrets(self) -> list[bytes]:
        """The keys in what is sent to the engine with every request."""
        return [value.removeprefix(b"Bearer ") for _, value in self.credentials]

    @property
    def sends_canaries(self) -> bool:
        """Whether a silent engine may be asked for a token."""
        return self.backend.canary if self.canary is None else self.canary


def first_byte_limit(limits: Timeouts) -> tuple[float, str]:
    """How long the first byte of a stream may take, in seconds, and the setting that says so."""
    if limits.total_s is not None and limits.total_s < limits.first_byte_s:
        return limits.total_s, "total_s"
    return limits.first_byte_s, "first_byte_s"


def whole_limit(limits: Timeouts) -> tuple[float | None, str]:
    """How long a whole answer may take, in seconds (None: as long as it does), and the setting that says so.

    Engines send the head of such an answer with its end: a limit for the first byte would cut off good long answers.
    """
    if limits.total_s is not None and (limits.whole_s is None or limits.total_s < limits.whole_s):
        return limits.total_s, "total_s"
    return limits.whole_s, "whole_s"
