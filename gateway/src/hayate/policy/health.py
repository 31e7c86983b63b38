"""When a replica is out, and when it comes back. One `Health` per replica; the clock is an argument, in seconds.

What an engine says to one request is that request's affair, so answers alone never take out a deployment's last
replica.

(1) `eject_after` connections in a row that could not be made throw the replica out.
(2) `eject_after` failed answers in a row (5xx, garbage, cut, too late) throw it out when its probe fails too. With a
    good probe they only set it aside, and only while another replica is available: for `eject_s` times the number of
    ejections so far; should the others go, calls come back to it.
(3) PROBES_TO_FAIL failed probes in a row take it out until it answers.
(4) A probe that times out is no failure where the engine is busy rather than dead: calls are in flight there and bytes
    moved, or the engine is not known to answer beside a call, or is known not to (`serial`). Both are learned: from
    probes that were answered while a call went on, and from calls that ended well after a probe had timed out beside
    them.
(5) A call that began since and succeeds ends an ejection at once, and so does a probe that succeeds after failed
    connections or a failed probe (the engine was restarted). When its time is over, or every TRIAL_S where nothing
    probes, one call tries.
(6) A replica that answers and makes nothing is `stuck` until it makes something, or was restarted.

The code carries these numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hayate.settings import Probing

PROBES_TO_FAIL = 2
TRIAL_S = 1.0
"""How long one trial call keeps the others away while it has not ended; how often one tries where nothing probes."""
KNOWN = 3
"""So many probes answered beside a call that went on make an engine one that always answers."""
CLOSE_S = 0.25
CLOSE_FOR_S = 60.0
NOT_SO_CLOSE_S = 1.0
"""A replica that is not well is probed every CLOSE_S for CLOSE_FOR_S, then every NOT_SO_CLOSE_S."""


class Out(Enum):
    """Why a replica was ejected."""

    ASIDE = "answers"
    """Its answers failed, its probe did not: others are preferred."""
    GONE = "unreachable"
    """It could not be reached, or its probe failed as well."""


@dataclass(slots=True)
class Health:
    """What is known of one replica. `probing`: whether anything but calls asks it."""

    eject_after: int = Probing.eject_after
    eject_s: float = Probing.eject_s
    probing: bool = True
    failures: int = 0
    """Of any kind, in a row."""
    unreachable: int = 0
    """Connections that could not be made, in a row."""
    out: Out | None = None
    ejections: int = 0
    ejected_until: float = 0.0
    trial_until: float = 0.0
    probe_failures: int = 0
    probed: bool = False
    answered_at: float = 0.0
    """When a probe last succeeded."""
    stuck: bool = False
    clean: bool = True
    """Nothing is held against it: a call that succeeds tells nothing new."""
    serial: bool = False
    """It is known not to answer beside a call."""
    beside: int = 0
    """How many probes were answered beside a call that went on."""
    _failed_since: bool = False
    """A probe has failed since the row of failures began: one that succeeds then means a restart."""
    _missed_beside: bool = False
    """A probe timed out beside calls that have not ended yet."""
    _accused_at: float = 0.0
    """When a probe last failed, or the replica was ejected."""
    _unwell_since: float | None = 0.0
    """None while all is well."""

    def available(self, now: float) -> bool:
        """Whether calls may go there; always while it is `clean`."""
        if self.stuck or self.probe_failures >= PROBES_TO_FAIL:  # (6), (3)
            return False
        # (5) A trial that has begun keeps the other calls away until it ends, or until TRIAL_S are over.
        return self.out is None or (now >= self.ejected_until and now >= self.trial_until)

    def spare(self) -> bool:
        """Whether calls may go there when nothing better is left (2)."""
        return self.out is Out.ASIDE and not self.stuck and self.probe_failures < PROBES_TO_FAIL

    def ready(self, now: float) -> bool:
        """Whether it has been seen to answer and may be called: what readiness reports."""
        return (self.probed or not self.probing) and (self.available(now) or self.spare())

    @property
    def may_be_busy(self) -> bool:
        """Whether it is not known to answer beside calls (4)."""
        return self.serial or self.beside < KNOWN

    def back_in_s(self, now: float) -> float:
        """How long until it may be asked again, as far as that is a matter of time; 0 when it may now."""
        return 0.0 if self.out is None else max(0.0, self.ejected_until - now, self.trial_until - now)

    def state(self, now: float) -> str:
        """One word for the operator."""
        if self.stuck:
            return "stuck"
        if self.probe_failures >= PROBES_TO_FAIL:
            return "unreachable"
        if self.out is not None:
            return self.out.value if now < self.ejected_until else "trial"
        return "ok" if self.probed or not self.probing else "unknown"

    # What calls tell.

    def chosen(self, now: float) -> None:
        """A call goes there, though it is out: while the replica is on trial, it is the only one."""
        self.trial_until = now + TRIAL_S

    def succeeded(self, now: float, *, began: float | None = None) -> None:
        """An engine answered a call. One that `began` before the replica was accused says nothing of how it is since:
        an engine that is shutting down ends its calls well.
        """
        self.failures = self.unreachable = 0
        self.stuck = False  # (6)
        if self._missed_beside:  # (4) the call ended well although a probe had timed out beside it
            self._missed_beside = False
            self.serial, self.beside = True, 0
        if began is not None and began < self._accused_at:
            return
        self.probe_failures, self._failed_since = 0, False
        if self.out is not None:  # (5)
            self._back(now)
        elif self.ejections and now - self.ejected_until > self.eject_s:  # (2) forgotten one by one
            self.ejections -= 1
            self.ejected_until = now
        self.clean = not self.ejections

    def failed(self, now: float, *, connecting: bool = False, alone: bool = True) -> bool:
        """A call failed by the replica's fault. `alone`: no other replica is available. True when that threw it out."""
        self.clean = False
        self.failures += 1
        self.unreachable = self.unreachable + 1 if connecting else 0
        # On trial a single failure throws it out again: the row of failures before it was long enough.
        if self.unreachable >= self.eject_after or (connecting and self._on_trial(now)):  # (1)
            return self._eject(now, Out.GONE)
        if self.failures >= self.eject_after and self.probe_failures:  # (2) and the probe fails too
            return self._eject(now, Out.GONE)
        if not alone and (self.failures >= self.eject_after or self._on_trial(now)):  # (2) with a good probe
            return self._eject(now, Out.ASIDE)
        return False

    # What probes tell.

    def probe_succeeded(self, now: float, *, beside: bool = False) -> None:
        """The engine answered. `beside`: while one and the same call was in flight all the time."""
        self.probed = True
        self.answered_at = now
        self.probe_failures = 0
        if beside and self.beside < KNOWN:  # (4)
            self.beside += 1
            self.serial = self.serial and self.beside < KNOWN
        if self.out is Out.GONE or self._failed_since:  # (5), (6): it has been restarted
            self.failures = self.unreachable = 0
            self.stuck = self._failed_since = False
            if self.out is not None:
                self._back(now)

    def probe_failed(self, now: float) -> bool:
        """The engine could not be reached, or says that it can't take calls. True when that threw the replica out."""
        self.clean = False
        self.probe_failures += 1
        self._accused_at = now
        self._failed_since = True
        return self.failures >= self.eject_after and self._eject(now, Out.GONE)  # (2) whichever of the two comes last

    def probe_timed_out(self, now: float, *, calls: bool, moved: bool) -> bool:
        """The engine did not answer in time. `calls`: some are in flight there; `moved`: and got bytes since the last
        probe. True when that threw the replica out.
        """
        if self.serial or (calls and (moved or self.may_be_busy)):  # (4)
            self._missed_beside = self._missed_beside or calls
            self.clean = self.clean and not calls
            return False
        return self.probe_failed(now)

    def probe_in_s(self, now: float, interval_s: float) -> float:
        """When to probe next: soon while something is wrong."""
        if self.probed and self.out is None and not self.probe_failures and not self.stuck:
            self._unwell_since = None
            return interval_s
        if self._unwell_since is None:
            self._unwell_since = now
        return min(interval_s, CLOSE_S if now - self._unwell_since < CLOSE_FOR_S else NOT_SO_CLOSE_S)

    # What a canary tells.

    def made_nothing(self) -> None:
        """Calls got nothing for long, and neither did the canary (6)."""
        self.stuck, self.clean = True, False

    def made_something(self, now: float) -> None:
        """The canary was answered."""
        if self.stuck:
            self.succeeded(now)

    def _on_trial(self, now: float) -> bool:
        return self.out is not None and now >= self.ejected_until

    def _eject(self, now: float, why: Out) -> bool:
        """True when it was not out already for as good a reason."""
        if self.out is not None and now < self.ejected_until and (self.out is why or self.out is Out.GONE):
            return False
        self.out, self._accused_at = why, now
        self.ejections += 1
        # (2) and (5). Where nothing probes, only calls can find that it is back: a failed connection costs them nothing.
        self.ejected_until = now + (
            self.eject_s * self.ejections if self.probing or why is Out.ASIDE else min(TRIAL_S, self.eject_s)
        )
        self.trial_until = 0.0
        return True

    def _back(self, now: float) -> None:
        self.out = None
        self.ejected_until = min(self.ejected_until, now)  # from here on `succeeded` counts how long it has been well
