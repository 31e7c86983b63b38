"""The memory of the GPUs at one moment: what is free, what is promised to whom, and who could give way. Pure.

It is made anew for each step, from the states alone, so that it can't be wrong for longer than that.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Final

from hayate.policy.tenant import AWAY, GpuTerms, State, Tenant

LOOKS: Final = 8
"""For others to give way, in one step: who is behind so many waits for the next, so that a step takes linear time."""

Bytes = dict[str, int]
"""By GPU."""


class Room:
    """Of all GPUs, at `now`."""

    def __init__(self, tenants: Iterable[Tenant], gpus: Mapping[str, GpuTerms], now: float) -> None:
        self._gpus, self._now = gpus, now
        self._free: Bytes = {name: gpu.memory for name, gpu in gpus.items()}
        self._pinned: Bytes = defaultdict(int)
        self._going: Bytes = defaultdict(int)
        """What becomes free, and is for whoever is first in the line."""
        self._coming: dict[Tenant, Bytes] = defaultdict(lambda: defaultdict(int))
        """What becomes free for somebody."""
        self._loading: set[str] = set()
        self._going_s: dict[str, float] = defaultdict(float)
        """How long it takes until somebody's memory is free, by GPU."""
        self._load_s = 0.0
        """The longest that is known."""
        self._there: list[Tenant] = []
        self._looks = LOOKS
        for tenant in tenants:
            self._load_s = max(self._load_s, tenant.load_s or 0.0)
            if tenant.state not in AWAY:
                self._count(tenant)
        self._there.sort(key=self._rank)

    def _count(self, tenant: Tenant) -> None:
        state, to = tenant.state, tenant.for_whom
        promised = to is not None and to.first_at is not None and to.state in AWAY
        for gpu, need in tenant.needs.items():
            self._free[gpu] = self._free.get(gpu, 0) - need
            if state is State.LOADING:
                self._loading.add(gpu)
            elif state is not State.READY:
                (self._coming[to] if promised and to is not None else self._going)[gpu] += need
            if state is State.READY:
                went_s = (tenant.drain_s or 0.0) + (tenant.unload_s or 0.0)
                self._going_s[gpu] = max(self._going_s[gpu], went_s)
            if tenant.pin and tenant.leaving is None:
                self._pinned[gpu] += need
        if state is State.READY and not tenant.pin and tenant.needs and not tenant.stuck(self._now):
            self._there.append(tenant)

    def ever(self, tenant: Tenant) -> bool:
        """Whether it fits once all are gone that may go."""
        return all(
            gpu in self._gpus and need + self._pinned[gpu] <= self._gpus[gpu].memory
            for gpu, need in tenant.needs.items()
        )

    def fits(self, tenant: Tenant) -> bool:
        """Whether what it needs is free now."""
        return all(need <= self._free.get(gpu, 0) for gpu, need in tenant.needs.items())

    def take(self, tenant: Tenant) -> bool:
        """What it needs and fits; if something else is being loaded there, it is kept for it until then, and False."""
        if not self._loading.isdisjoint(tenant.needs):
            self._promise(tenant)
            return False
        for gpu, need in tenant.needs.items():
            self._free[gpu] -= need
        self._loading.update(tenant.needs)
        return True

    def make(self, tenant: Tenant, *, due: bool) -> Sequence[Tenant]:
        """Who gives way now, so that it fits. Nobody, where what is on its way out is enough, or where those can't yet who
        would have to; then, if it is due, what is free is kept for it.
        """
        lack = self._lack(tenant)
        victims: list[Tenant] = []
        if lack:
            victims = self._victims(lack, due=due)
            for victim in victims:
                for gpu, need in victim.needs.items():
                    self._coming[tenant][gpu] += need
        if not lack or victims or due:
            self._promise(tenant)
        return victims

    def _lack(self, tenant: Tenant) -> Bytes:
        coming = self._coming.get(tenant, {})
        short = {
            gpu: need - self._free[gpu] - self._going[gpu] - coming.get(gpu, 0) for gpu, need in tenant.needs.items()
        }
        return {gpu: lack for gpu, lack in short.items() if lack > 0}

    def _promise(self, tenant: Tenant) -> None:
        """What it needs is not for those behind it: what was freed for it, what becomes free for anybody, what is free."""
        coming = self._coming.get(tenant, {})
        for gpu, need in tenant.needs.items():
            rest = max(0, need - coming.get(gpu, 0))
            of_going = min(rest, self._going[gpu])
            self._going[gpu] -= of_going
            self._free[gpu] -= min(rest - of_going, max(0, self._free[gpu]))

    def _victims(self, lack: Bytes, *, due: bool) -> list[Tenant]:
        """The first of those that may go, as many as it takes, without any that would go in vain."""
        if not self._looks:
            return []
        self._looks -= 1
        chosen: list[Tenant] = []
        lack = dict(lack)
        for each in self._there:
            if each.state is not State.READY or not (self._over(each) if due else self._idle(each)):
                continue
            helps = [gpu for gpu in each.needs if lack.get(gpu, 0) > 0]
            if not helps:
                continue
            chosen.append(each)
            for gpu, need in each.needs.items():
                if gpu in lack:
                    lack[gpu] -= need
            if all(rest <= 0 for rest in lack.values()):
                return self._needed(chosen, lack)
        return []

    @staticmethod
    def _needed(chosen: list[Tenant], lack: Bytes) -> list[Tenant]:
        """`lack` is below 0 where more is freed than has to be."""
        kept = []
        for each in chosen:
            if all(lack[gpu] + need <= 0 for gpu, need in each.needs.items() if gpu in lack):
                for gpu in lack:
                    lack[gpu] += each.needs.get(gpu, 0)
            else:
                kept.append(each)
        return kept

    def _rank(self, tenant: Tenant) -> tuple[bool, float]:
        """Who gives way first: the idle, by when they were used; of the busy ones who has been there longest."""
        return (False, tenant.used_at) if tenant.idle else (True, tenant.since)

    def _terms(self, tenant: Tenant) -> tuple[float, float]:
        """The quantum, and how long calls wait for others, where it is: the longer quantum and the shorter wait of its GPUs."""
        gpus = [self._gpus[gpu] for gpu in tenant.needs if gpu in self._gpus]
        return max((gpu.quantum_s for gpu in gpus), default=0.0), min((gpu.max_wait_s for gpu in gpus), default=0.0)

    def _idle(self, tenant: Tenant) -> bool:
        """Whether it had nothing to do for as long as coming back would take: so no more time goes by with waiting for a call that
        may come than with loading what had just gone.
        """
        quantum_s, _ = self._terms(tenant)
        return tenant.idle and self._now - max(tenant.used_at, tenant.since) >= min(
            quantum_s, _back_s(tenant, quantum_s)
        )

    def _turn_s(self, tenant: Tenant) -> float:
        """How long a busy one stays at least: as long as coming back takes, so that half the time is not spent on loading."""
        quantum_s, max_wait_s = self._terms(tenant)
        return min(_back_s(tenant, quantum_s), max_wait_s)

    def _over(self, tenant: Tenant) -> bool:
        """Whether it has had its turn, and those are let in that waited when it began, or have had a quantum for it."""
        quantum_s, _ = self._terms(tenant)
        turn_s, there_s = self._turn_s(tenant), self._now - tenant.since
        let_in = tenant.oldest_at is None or tenant.oldest_at >= tenant.since
        return there_s >= (turn_s if let_in else max(turn_s, quantum_s))

    def due(self, line: Sequence[Tenant]) -> Iterator[float]:
        """When a busy one has to give way at the latest, for each in the line: when its first call has waited for `max_wait_s`, or
        so much earlier that those behind it need not wait longer for its turn.
        """
        found: list[float] = []
        latest: dict[str, float] = {}
        for tenant in reversed(line):
            if tenant.first_at is None:
                found.append(inf)
                continue
            gpus = [gpu for gpu in tenant.needs if gpu in self._gpus]
            load_s = self._load_s if tenant.load_s is None else tenant.load_s
            turn_s = load_s + self._turn_s(tenant) + max((self._going_s[gpu] for gpu in gpus), default=0.0)
            before = min((latest[gpu] for gpu in gpus if gpu in latest), default=inf) - turn_s
            due_at = min(tenant.first_at + self._terms(tenant)[1], before)
            latest.update(dict.fromkeys(gpus, due_at))
            found.append(due_at)
        return reversed(found)


def _back_s(tenant: Tenant, unknown_s: float) -> float:
    """What going and coming back takes."""
    return unknown_s if tenant.load_s is None else tenant.load_s + (tenant.unload_s or 0.0)
