"""What reads an engine's stream: the seam between the pump, which moves bytes, and the dialects, which know them."""

from __future__ import annotations

from typing import Protocol

from hayate.errors import GatewayError
from hayate.wire.plain_event import Reader
from hayate.wire.usage import Usage


class StreamDecoder(Protocol):
    """Engine bytes in, client events out. One per call; holds that call's state."""

    @property
    def usage(self) -> Usage:
        """What has been used so far; one object as long as the stream lasts."""

    @property
    def finish_reason(self) -> str | None:
        """Why the engine stopped, once it has said so."""

    @property
    def has_output(self) -> bool:
        """Whether any text has come: time to first token ends here."""

    @property
    def finished(self) -> bool:
        """The answer is complete, as far as its dialect can tell."""

    @property
    def failure(self) -> GatewayError | None:
        """Set by `feed` or `end`: what they returned still goes out, then this, then nothing."""

    @property
    def plain_reader(self) -> Reader | None:
        """What tells plain events from others, in a dialect that passes those unread; None in any other."""

    @property
    def next_number(self) -> int:
        """The number of the next event, in a dialect that numbers them; 0 in any other."""

    def feed(self, data: bytes) -> bytes:
        """What of `data` may go to the client now: whole events only. May raise UpstreamBroke."""

    def end(self) -> bytes:
        """The engine's body has ended. Returns what the client is still owed; may set `failure`."""

    def release(self) -> bytes:
        """What was held back in case that something comes with it; it goes to the client when nothing does."""


class DecoderState:
    """What decoders of all dialects keep of their stream, in slots: they are read with every piece of every stream.

    Nothing is held back and nothing passes unread, where a dialect does not say otherwise.
    """

    __slots__ = ("failure", "finish_reason", "finished", "has_output", "usage")

    def __init__(self) -> None:
        self.usage = Usage()
        self.finish_reason: str | None = None
        self.has_output = False
        self.finished = False
        self.failure: GatewayError | None = None

    @property
    def plain_reader(self) -> Reader | None:
        """None: every event is looked at."""
        return None

    @property
    def next_number(self) -> int:
        """0: few dialects number their events."""
        return 0

    def release(self) -> bytes:
        """Nothing is held back: only OpenAI's finish is, for what may come with the usage."""
        return b""
