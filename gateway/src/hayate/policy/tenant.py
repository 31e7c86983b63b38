"""What the arbiter knows of one model that comes and goes, and of one GPU; and what it says is to be done. Plain data: what
changes it is `policy.arbiter`, and the driver where it says so here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import Enum
from typing import Final, Literal


class State(Enum):
    """Of a model: where it is on its way into memory and out of it."""

    UNLOADED = "unloaded"
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    """It takes no more calls; those that it has come to their end."""
    UNLOADING = "unloading"
    FAILED = "failed"
    """It could not be loaded, or has ended by itself; not tried before `Tenant.retry_at`."""


AWAY: Final = frozenset({State.UNLOADED, State.FAILED})
"""Nothing of it is in memory."""

Why = Literal[
    "new",  # not asked for yet
    "asked",  # calls wait for it
    "preload",
    "back",  # it had given way to one that could not be loaded, or it ended by itself
    "operator",
    "loaded",
    "idle",  # nobody asked for it for `idle_unload_s`
    "gave_way",  # to one that waits
    "removed",  # from the configuration, or changed there
    "crashed",
    "load_failed",
    "too_large",  # it does not fit, also when all others are gone that may go
    "kept",  # those that it was to give way to have left
    "found",  # others have loaded it
    "lost",  # others have unloaded it
    "stuck",  # it could not be unloaded
]


@dataclass(frozen=True, slots=True)
class GpuTerms:
    """Of one GPU: its memory in bytes, and for how many seconds models keep it and calls wait (`settings.Gpu`)."""

    memory: int
    quantum_s: float
    max_wait_s: float


@dataclass(frozen=True, slots=True)
class TenantTerms:
    """What is configured of one model. `preload`: it is loaded as soon as there is room, without being asked for."""

    name: str
    needs: Mapping[str, int]
    """Bytes by GPU; none where it takes nothing that others want."""
    _: KW_ONLY
    pin: bool
    idle_unload_s: float | None
    preload: bool


class Tenant:
    """One model. Times are in seconds of the driver's clock."""

    __slots__ = (
        "asked_at",
        "drain_s",
        "failures",
        "for_whom",
        "idle_unload_s",
        "in_flight",
        "leaving",
        "load_s",
        "name",
        "needs",
        "oldest_at",
        "pin",
        "retry_at",
        "since",
        "state",
        "unload_s",
        "used_at",
        "waiting",
        "wanted",
        "why",
    )

    def __init__(self, terms: TenantTerms, now: float) -> None:
        self.name = terms.name
        self.needs: Mapping[str, int] = terms.needs
        self.pin = terms.pin
        self.idle_unload_s = terms.idle_unload_s
        self.state = State.UNLOADED
        self.since = now
        """When it came into this state."""
        self.why: Why = "new"
        self.load_s: float | None = None
        """What its last load took, from `Steps.load` to `loading_done`; so too the last unload, and the last wait for its calls."""
        self.unload_s: float | None = None
        self.drain_s: float | None = None
        self.used_at = now
        """When its last call ended, or it became ready: the driver says so, and each step while it has calls."""
        self.in_flight = 0
        """Calls that it has; this and the next two the driver fills in before each step."""
        self.waiting = 0
        """Calls in its queue, whether its gate is shut or full."""
        self.oldest_at: float | None = None
        """Since when the first of them waits."""
        self.wanted = terms.preload
        """It is loaded without being asked for, once there is room: preload, or it was ready when it crashed or gave way."""
        self.asked_at: float | None = None
        """Since when the operator wants it, who counts as a call that waits."""
        self.leaving: Literal["operator", "removed"] | None = None
        """It goes as soon as its calls have ended, whoever waits for it."""
        self.for_whom: Tenant | None = None
        """To whom it gives way."""
        self.failures = 0
        """In a row."""
        self.retry_at = 0.0

    def __repr__(self) -> str:
        return f"<{self.name} {self.state.value}, {self.why}>"

    @property
    def first_at(self) -> float | None:
        """Since when somebody waits for it, a call or the operator."""
        if self.asked_at is None or (self.oldest_at is not None and self.oldest_at < self.asked_at):
            return self.oldest_at
        return self.asked_at

    @property
    def idle(self) -> bool:
        """Whether it has no calls, and nobody waits for it."""
        return not self.in_flight and not self.waiting and self.asked_at is None

    def stuck(self, now: float) -> bool:
        """Whether it could not be unloaded, and is not asked to go again yet."""
        return self.why == "stuck" and now < self.retry_at

    def turn(self, state: State, why: Why, now: float) -> None:
        """Takes another state."""
        self.state, self.why, self.since = state, why, now


@dataclass(slots=True)
class Steps:
    """What is to be done, in this order; the driver begins each before it does anything else, and tells how it ended."""

    keep: list[Tenant] = field(default_factory=list)
    """Its gate is opened again: it was draining and is ready."""
    drain: list[Tenant] = field(default_factory=list)
    """Its gate is shut now; who comes from now on waits."""
    unload: list[Tenant] = field(default_factory=list)
    """Its gate is shut and it has no calls: `unloaded` or `unload_failed` follows. It may have been in `drain` just before."""
    load: list[Tenant] = field(default_factory=list)
    """`loading_done` or `load_failed` follows; the gate is opened after `loading_done`."""
    refuse: list[Tenant] = field(default_factory=list)
    """Those that wait for it are told that they wait in vain: it failed, and is not tried before `retry_at`."""

    def __bool__(self) -> bool:
        return bool(self.keep or self.drain or self.unload or self.load or self.refuse)
