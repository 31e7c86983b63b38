"""What the endpoints share: services that stay, and settings that a reload swaps whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from hayate.access.authenticator import Authenticator
from hayate.access.grants import Grants
from hayate.api.in_flight import InFlight
from hayate.downstream.request_id import RequestIds
from hayate.fleet.engines import Engines
from hayate.history.conversations import Conversations
from hayate.language import Text
from hayate.policy.ended_streams import EndedStreams
from hayate.relay.relay import Relay
from hayate.relay.ticker import Ticker
from hayate.settings import History, Listening, RateLimits, Recording
from hayate.store.costs import Prices
from hayate.store.store import Store
from hayate.telemetry.calls import EndedCalls
from hayate.telemetry.metrics import Metrics
from hayate.wire.caps import Caps
from hayate.wire.origins import Origins


@dataclass(frozen=True, slots=True)
class CallSettings:
    """What calls read of the configuration."""

    caps: Caps = field(default_factory=Caps)
    max_body_bytes: int = Listening.max_body_bytes
    heartbeat_s: float = Listening.heartbeat_s
    client_stall_s: float = Listening.client_stall_s
    limits: RateLimits = field(default_factory=RateLimits)
    """Of every key that has none of its own."""
    model_limits: Mapping[str, RateLimits] = field(default_factory=dict)
    """Of every such key with one model, by the name that is called."""
    recording: Recording = field(default_factory=Recording)
    """Whose prompts and answers are kept."""
    history: History = field(default_factory=History)
    """Which conversations are kept, and how much of them."""
    prices: Prices = field(default_factory=Prices)
    serves_half_closed: bool = Listening.half_close == "serve"
    openapi: bool = False
    """Whether /openapi.json is served."""
    operator_over_http: bool = Listening.operator_over_http


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload changed. `restart_needed` names changed settings that only a restart applies."""

    deployments: tuple[str, ...]
    aliases: Mapping[str, Sequence[str]]
    restart_needed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LastReload:
    """What the last try to apply a changed configuration came to; `at` is in seconds since 1970."""

    at: float
    done: Reloaded | None
    refused: Text | None
    """Every mistake, where nothing was applied."""


@dataclass(frozen=True, slots=True)
class Configured:
    """The configuration as it runs, without its secrets."""

    settings: Sequence[Mapping[str, Any]] = ()
    """Each with its `name`, and `value`; with `secret`, `source`, `variable` and `line`."""
    restart_needed: tuple[str, ...] = ()
    """Settings that were changed since the start, and that only a restart applies."""
    last_reload: LastReload | None = None


@dataclass(slots=True)
class Gateway:
    """One per process; built in `serve.app`'s lifespan, read from the request's state. Only `settings` changes."""

    relay: Relay
    auth: Authenticator
    calls: EndedCalls
    metrics: Metrics
    ticker: Ticker
    store: Store
    history: Conversations
    engines: Engines
    """What loads and unloads models."""
    reload: Callable[[], Awaitable[Reloaded]]
    """Applies a changed configuration. Raises RefusedConfig."""
    configured: Callable[[], Configured] = Configured
    """What the configuration is now; it takes some milliseconds to tell."""
    settings: CallSettings = field(default_factory=CallSettings)
    grants: Grants = field(init=False)
    in_flight: InFlight = field(default_factory=InFlight)
    adding_up: set[str] = field(default_factory=set)
    """Ids of the keys whose usage is being added up."""
    exporting: set[str] = field(default_factory=set)
    importing: set[str] = field(default_factory=set)
    """Projects of which all conversations are being exported, or one is being imported."""
    ids: RequestIds = field(default_factory=RequestIds)
    origins: Origins = field(default_factory=Origins)
    ended_streams: EndedStreams = field(default_factory=EndedStreams)
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the gateway begins to end: nothing that goes on by itself is waited for."""

    def __post_init__(self) -> None:
        """Limits go by the same estimates as the queue."""
        self.grants = Grants(monotonic, self.relay.estimates)
