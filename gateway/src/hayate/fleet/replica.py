"""One running engine as the gateway knows it: how it is reached, how it does, and what it last said."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from hayate.backends.base import Served
from hayate.fleet.spec import KEY_SHOWN, NO_PROBE, DeploymentSpec
from hayate.language import Text, one_line
from hayate.policy.ceiling import Ceiling
from hayate.policy.health import Health
from hayate.policy.progress import Progress
from hayate.reasons import Reason
from hayate.settings import Probing
from hayate.upstream.connection_pool import ConnectionPool
from hayate.upstream_errors import ConnectFailed, ConnectTimedOut, EngineError, UpstreamError, UpstreamRefused

MAX_LAST_ERROR_CHARS = 300
LEAST_SECRET_CHARS = 4
"""Fewer characters at a cut are taken for a coincidence, not for the beginning of a key."""


@dataclass(frozen=True, slots=True)
class LastError:
    """What a replica last did wrong, and when, in seconds since 1970."""

    texts: Text
    at: float
    reason: Reason | None = None

    @property
    def text(self) -> str:
        """For the log, which is in English."""
        return self.texts.en


class Replica:
    """One running engine at one URL."""

    def __init__(self, spec: DeploymentSpec, url: str, number: int, probing: Probing) -> None:
        self.url = url
        self.label = f"{spec.name}/{number}"
        self.credentials = spec.credentials
        self._secrets = [secret.decode("utf-8", "replace") for secret in spec.secrets]
        self.pool = ConnectionPool(
            url,
            connect_s=spec.timeouts.connect_s,
            credentials=spec.credentials,
            ahead_s=spec.timeouts.spare_s,
            usable=self._is_usable,
        )
        self.health = Health(eject_after=probing.eject_after, eject_s=probing.eject_s, probing=spec.probe != NO_PROBE)
        self.progress = Progress(most_s=probing.quiet_s)
        self.served = Served(())
        self.key_refused = False
        """Whether it does not take the gateway's key, though its probe may need none."""
        self.description: list[object] | None = None
        """What the engine answered to `describe`: an adapter that replaces another reads it anew."""
        self.ceiling = Ceiling()
        """How many calls it gets at a time; whose bounds the deployment tells (`Deployment.refresh`)."""
        self.in_flight = 0
        self.ended = 0
        """How many calls have ended there: whether one and the same went on all the time is seen by it."""
        self.last_error: LastError | None = None
        self.available = self.health.available
        """Whether calls may go there at a time."""
        self.told: Reason | bool | None = None
        """What the operator was last told: that it is ready (true), why it is not, or nothing (None)."""
        self.told_at = 0.0
        self.doubt = asyncio.Event()
        """Set when a call failed: it is probed at once."""

    def renew(self) -> None:
        """Another engine answers there from now on, or one that was away: what was held against it does not count."""
        self.health = Health(
            eject_after=self.health.eject_after, eject_s=self.health.eject_s, probing=self.health.probing
        )
        self.available = self.health.available
        self.progress = Progress(most_s=self.progress.most_s, gaps=self.progress.gaps)
        self.key_refused = False
        self.pool.renew()

    def _is_usable(self) -> bool:
        """Whether connections may be opened ahead of need: calls would go there."""
        return self.health.out is None and self.available(time.monotonic())

    def enter(self, now: float) -> None:
        """A call goes there. Every one must `leave` once."""
        self.in_flight += 1
        if self.in_flight == 1:
            self.progress.last = now  # from here on silence counts (`Progress.began`)

    def leave(self) -> None:
        """It has ended, one way or another."""
        self.in_flight -= 1
        self.ended += 1

    def succeeded(self, now: float, began: float) -> None:
        """It answered a call that `began` then: that ends the silence there, and what was held against it."""
        if not self.health.clean:
            self.health.succeeded(now, began=began)
        self.progress.moved(now)

    def failed(self, error: UpstreamError, now: float, *, alone: bool) -> bool:
        """A call failed; counts it if that was the replica's fault. True when that threw it out."""
        if not isinstance(error, EngineError):
            self.note(error.texts, error.reason)
        if isinstance(error, UpstreamRefused) and error.reason is not Reason.LOADING:
            self.ceiling.refused(now, self.in_flight)
        if not error.counts_against_replica:
            return False
        if isinstance(error, ConnectTimedOut) and self.pool.busy_connections and self.health.may_be_busy:
            return False  # an engine that works on one thing at a time takes no more connections than its queue is long
        self.doubt.set()
        return self.health.failed(now, connecting=isinstance(error, ConnectFailed), alone=alone)

    def note(self, texts: Text, reason: Reason | None = None) -> None:
        """Remembers what went wrong, and when."""
        en, ja = (one_line(self.without_key(text)[:MAX_LAST_ERROR_CHARS]) for text in (texts.en, texts.ja))
        self.last_error = LastError(Text(en, ja), time.time(), reason)

    def without_key(self, text: str) -> str:
        """An engine's words as they may be shown: some repeat the key that they refuse, and a text may end inside it."""
        for secret in filter(None, self._secrets):
            text = text.replace(secret, KEY_SHOWN)
            rest = range(min(len(secret), len(text)), LEAST_SECRET_CHARS - 1, -1)
            cut = next((count for count in rest if text.endswith(secret[:count])), 0)
            text = text[: len(text) - cut] + KEY_SHOWN if cut else text
        return text

    def trouble(self, now: float) -> Reason | None:
        """Why it can't be used; None when it can, or when nobody knows yet."""
        if self.last_error is None or self.health.ready(now):
            return None
        return self.last_error.reason
