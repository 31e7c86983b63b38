"""The facts of one call, gathered while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hayate.policy.waits import PLAIN, Waits
from hayate.telemetry.content import Content
from hayate.wire.usage import Usage


@dataclass(slots=True)
class CallRecord:
    """The facts of one call. Times are seconds on the monotonic clock; `EndedCalls` fills in the end."""

    request_id: str
    endpoint: str
    started: float
    upstream_id: bytes = b""
    """What the engine is told; empty: `request_id`."""
    key: str = "-"
    """Whose key it was (`access.principals`): an id, never the key."""
    project: str = ""
    """Whose key that is."""
    model: str = ""
    stream: bool = False
    deployment: str = ""
    replica: str = ""
    attempts: int = 0
    sent_path: str = ""
    """Which of our paths the engine was asked for; another one than the caller's, where that is no engine's."""
    sent_bytes: int = 0
    """Size of the request that it got; 0 where nothing follows from that: it is a recording."""
    streamed: bool = False
    """Whether the engine was asked for a stream, so that it shows when it begins to answer."""
    waits: Waits = PLAIN
    """How it wants to wait for its place."""
    standing: Callable[[], bytes] | None = field(default=None, repr=False)
    """While it waits for a model that comes and goes: the comment that tells its stream so."""
    queued_s: float = 0.0
    ttft_s: float | None = None
    status: int = 0
    error: str | None = None
    finish_reason: str | None = None
    usage: Usage = field(default_factory=Usage)
    content: Content | None = field(default=None, repr=False)
    """What was said, for a key of which that is kept."""
    ended: float = 0.0
    ended_at: float = 0.0
    """The same moment on the wall's clock."""
