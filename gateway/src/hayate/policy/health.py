"""When a replica is out, and when it comes back. One `Health` per replica; the clock is an argument, in seconds.

(1) `eject_after` failures in a row throw the replica out for `eject_s` times the number of ejections so far.
(2) A call that succeeds ends a row of failures; a whole ejection time without a failure forgets one ejection.
(3) Two failed probes in a row take it out until a probe succeeds.
(4) When every failure of the row was a connection that could not be made, a probe that succeeds takes it back at once:
    the engine was restarted. After other failures a probe proves nothing (a hung engine still answers /health).
"""

from __future__ import annotations

from dataclasses import dataclass

PROBES_TO_FAIL = 2


@dataclass(slots=True)
class Health:
    """What is known of one replica."""

    eject_after: int = 5
    eject_s: float = 30.0
    failures: int = 0
    ejections: int = 0
    ejected_until: float = 0.0
    probe_failures: int = 0
    probed: bool = False
    only_connect_failures: bool = True

    def available(self, now: float) -> bool:
        """Whether calls may go there."""
        return now >= self.ejected_until and self.probe_failures < PROBES_TO_FAIL

    def ready(self, now: float) -> bool:
        """Whether it has been seen to answer: what readiness reports."""
        return self.probed and self.probe_failures == 0 and now >= self.ejected_until

    def back_in_s(self, now: float) -> float:
        """How long until it may be asked again; 0 when it may now."""
        return max(0.0, self.ejected_until - now)

    def succeeded(self, now: float) -> None:
        """An engine answered a call, or began to."""
        self.failures = 0
        self.only_connect_failures = True
        if self.ejections and now - self.ejected_until > self.eject_s:
            self.ejections -= 1
            self.ejected_until = now

    def failed(self, now: float, *, connecting: bool = False) -> bool:
        """A call failed by the replica's fault. True when that threw it out."""
        self.failures += 1
        self.only_connect_failures = self.only_connect_failures and connecting
        if self.failures < self.eject_after or now < self.ejected_until:
            return False
        self.ejections += 1
        self.failures = 0
        self.ejected_until = now + self.eject_s * self.ejections
        return True

    def probe_succeeded(self, now: float) -> None:
        """The health endpoint answered 200."""
        self.probed = True
        self.probe_failures = 0
        if self.only_connect_failures and now < self.ejected_until:
            self.ejected_until = now
            self.failures = 0

    def probe_failed(self) -> None:
        """The health endpoint did not answer, or not with 200."""
        self.probe_failures += 1
