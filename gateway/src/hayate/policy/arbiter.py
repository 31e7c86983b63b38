"""Which models are in the memory of the GPUs: what fits together stays, the rest takes turns. Pure; `now` is an argument, in
seconds.

(1) Who has calls in flight is not unloaded: its gate is shut, and it goes when they have ended. Who is pinned does not go at all.
(2) Memory that is free is given to whoever waits longest, as far as it fits. One load at a time on each GPU.
(3) One that has had nothing to do for as long as loading it again would take, or for a quantum, gives way; the least recently
    used first.
(4) A busy one gives way when a call for another has waited for `max_wait_s`, or so much earlier that those that wait behind it
    need not wait longer; what draining and loading take is on top. It has its turn first: as long as loading it takes, and
    until those are let in that waited when it became ready, but for these not more than a quantum.
(5) What is freed is kept for whom it was freed; if nobody waits for that one any more, those that still drain stay.
(6) A load that fails is told to those who wait, and tried again when somebody asks after `retry_at`; those that gave way for
    it come back. One that was ready when it ended is loaded again by itself.
(7) Nothing evicts for what nobody waits for (preload, what comes back): that takes memory which is free.

The code carries these numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from math import inf
from typing import Final

from hayate.policy.giving_way import Room
from hayate.policy.tenant import AWAY, GpuTerms, State, Steps, Tenant, TenantTerms, Why

FIRST_RETRY_S: Final = 1.0
LONGEST_RETRY_S: Final = 60.0
STEADY_S: Final = 60.0
"""One that was ready for so long has no failures any more."""


class Arbiter:
    """Of all GPUs of the gateway."""

    def __init__(self, gpus: Mapping[str, GpuTerms]) -> None:
        self.gpus: Mapping[str, GpuTerms] = dict(gpus)
        self.tenants: dict[str, Tenant] = {}
        self.removed: list[Tenant] = []
        """No longer configured, or configured anew under the same name, and not yet out of memory."""

    def configure(
        self, gpus: Mapping[str, GpuTerms], terms: Iterable[TenantTerms], now: float, changed: Collection[str] = ()
    ) -> None:
        """What is configured now. What is loaded stays loaded; what is not named any more goes, and what is run in another way
        (`changed`) goes and is another tenant from now on.
        """
        self.gpus = dict(gpus)
        before, self.tenants = self.tenants, {}
        for each in terms:
            known = None if each.name in changed else before.pop(each.name, None)
            if known is None:
                known = Tenant(each, now)
            known.needs, known.pin, known.idle_unload_s = each.needs, each.pin, each.idle_unload_s
            self.tenants[each.name] = known
        for tenant in before.values():
            if tenant.state not in AWAY:
                tenant.leaving = "removed"
                self.removed.append(tenant)

    def __iter__(self) -> Iterator[Tenant]:
        yield from self.tenants.values()
        yield from self.removed

    def step(self, now: float) -> Steps:
        """What is to be done now; the states say that it has begun."""
        steps = Steps()
        for tenant in self:
            self._look(tenant, now, steps)
        self._share(now, steps)
        for tenant in self:
            if tenant.state is State.DRAINING and not tenant.in_flight:  # (1)
                tenant.drain_s = now - tenant.since
                tenant.turn(State.UNLOADING, tenant.why, now)
                steps.unload.append(tenant)
        return steps

    def load(self, tenant: Tenant, now: float) -> None:
        """The operator wants it: as if a call waited for it."""
        if tenant.leaving == "operator":
            tenant.leaving = None
        if tenant.state not in (State.READY, State.LOADING) and tenant.asked_at is None:
            tenant.asked_at, tenant.retry_at = now, now

    def unload(self, tenant: Tenant, now: float) -> None:
        """The operator wants it gone, pinned or not; the next call loads it again."""
        tenant.asked_at, tenant.wanted = None, False
        if tenant.state not in AWAY:
            tenant.leaving, tenant.retry_at = tenant.leaving or "operator", now
        elif tenant.state is State.FAILED:
            tenant.turn(State.UNLOADED, "operator", now)

    def loading_done(self, tenant: Tenant, now: float) -> None:
        """It answers calls, and so its turn begins."""
        tenant.load_s = now - tenant.since
        tenant.wanted, tenant.asked_at, tenant.used_at = False, None, now
        tenant.turn(State.READY, "loaded", now)
        self._gave_way(tenant, back=False)

    def load_failed(self, tenant: Tenant, now: float) -> None:
        """Nothing of it is in memory. It is not tried before `retry_at`."""
        self._fail(tenant, "load_failed", now, FIRST_RETRY_S)
        self._gave_way(tenant, back=True)  # (6)

    def unloaded(self, tenant: Tenant, now: float) -> None:
        """Its memory is free for others now."""
        if tenant.state is not State.UNLOADING:  # it has ended by itself meanwhile
            return
        tenant.unload_s = now - tenant.since
        tenant.leaving, tenant.failures = None, 0
        tenant.turn(State.UNLOADED, tenant.why, now)
        self._forget(tenant)

    def unload_failed(self, tenant: Tenant, now: float) -> None:
        """It is still in memory, and answers: it stays, and is left alone for a while."""
        if tenant.state is not State.UNLOADING:
            return
        tenant.for_whom, tenant.retry_at = None, now + LONGEST_RETRY_S
        if tenant.leaving == "operator":
            tenant.leaving = None
        tenant.turn(State.READY, "stuck", now)

    def crashed(self, tenant: Tenant, now: float) -> None:
        """It was in memory and has ended by itself. The first time it is loaded again at once."""
        if tenant.state is State.READY:
            tenant.wanted = tenant.leaving is None
        self._fail(tenant, "crashed", now, FIRST_RETRY_S if tenant.failures else 0.0)
        self._forget(tenant)

    def found(self, tenant: Tenant, now: float) -> None:
        """It is in memory, by whoever's doing: it stays if it fits, else it goes again."""
        if not Room(self, self.gpus, now).fits(tenant):
            tenant.leaving = "operator"
        tenant.used_at = now
        tenant.turn(State.READY, "found", now)

    def lost(self, tenant: Tenant, now: float) -> None:
        """It is not in memory any more, by whoever's doing, and well."""
        tenant.leaving = None
        tenant.turn(State.UNLOADED, "lost", now)
        self._forget(tenant)

    def _fail(self, tenant: Tenant, why: Why, now: float, first_s: float) -> None:
        wait_s = min(first_s * 2 ** min(tenant.failures, 16), LONGEST_RETRY_S)
        tenant.failures += 1
        tenant.retry_at, tenant.asked_at, tenant.leaving = now + wait_s, None, None
        tenant.turn(State.FAILED, why, now)

    def _forget(self, tenant: Tenant) -> None:
        self.removed = [each for each in self.removed if each is not tenant]

    def _gave_way(self, to: Tenant, *, back: bool) -> None:
        """It needs nobody's memory any more: those that went for it come back, or not."""
        for tenant in self:
            if tenant.for_whom is to:
                tenant.for_whom = None
                tenant.wanted = tenant.wanted or (back and tenant.leaving is None)

    def _look(self, tenant: Tenant, now: float, steps: Steps) -> None:
        """Whether anything is due at one by itself, whoever waits."""
        if tenant.in_flight:
            tenant.used_at = now
        to = tenant.for_whom
        if to is not None and (to.first_at is None if to.state in AWAY else tenant.state is State.DRAINING):  # (5)
            tenant.for_whom = None
        if tenant.state is State.READY:
            if now - tenant.since >= STEADY_S:
                tenant.failures = 0
            if tenant.stuck(now):
                return
            if tenant.leaving is not None:
                self._drain(tenant, tenant.leaving, now, steps)
            elif (
                tenant.idle_unload_s is not None
                and not tenant.pin
                and tenant.idle
                and now - tenant.used_at >= tenant.idle_unload_s
            ):
                self._drain(tenant, "idle", now, steps)
        elif tenant.state is State.DRAINING and tenant.in_flight and tenant.leaving is None and tenant.for_whom is None:
            tenant.asked_at = None
            tenant.turn(State.READY, "kept", now)
            steps.keep.append(tenant)
        elif tenant.state is State.FAILED and tenant.waiting and now < tenant.retry_at:  # (6)
            steps.refuse.append(tenant)

    @staticmethod
    def _drain(tenant: Tenant, why: Why, now: float, steps: Steps) -> None:
        tenant.turn(State.DRAINING, why, now)
        steps.drain.append(tenant)

    def _share(self, now: float, steps: Steps) -> None:
        """The memory that is there, among those that are not."""
        line = [
            each
            for each in self.tenants.values()
            if (each.state is State.UNLOADED or (each.state is State.FAILED and now >= each.retry_at))
            and (each.wanted or each.first_at is not None)
        ]
        if not line:
            return
        line.sort(key=lambda each: inf if each.first_at is None else each.first_at)  # (2)
        room = Room(self, self.gpus, now)
        line = [each for each in line if not self._too_large(each, room, now, steps)]
        for tenant, due_at in zip(line, room.due(line), strict=True):
            if room.fits(tenant):
                if room.take(tenant):
                    tenant.for_whom = None
                    tenant.turn(State.LOADING, _reason(tenant), now)
                    steps.load.append(tenant)
            elif tenant.first_at is not None:  # (7)
                for victim in room.make(tenant, due=due_at <= now):
                    victim.for_whom = tenant
                    self._drain(victim, "gave_way", now, steps)

    @staticmethod
    def _too_large(tenant: Tenant, room: Room, now: float, steps: Steps) -> bool:
        if room.ever(tenant):
            return False
        if tenant.why != "too_large":
            tenant.turn(State.FAILED, "too_large", now)
        tenant.failures += tenant.asked_at is not None
        tenant.asked_at, tenant.retry_at = None, now
        if tenant.waiting:
            steps.refuse.append(tenant)
        return True


def _reason(tenant: Tenant) -> Why:
    """Why it is loaded, in a word."""
    if tenant.waiting:
        return "asked"
    if tenant.asked_at is not None:
        return "operator"
    return "preload" if tenant.why == "new" else "back"
