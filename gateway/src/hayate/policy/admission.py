"""Who may go in, who waits, who is turned away: a gate with a bounded queue in front of a deployment, first come, first
served.

The gate holds opaque tickets and decides; waiting, and telling a ticket's owner, is the caller's business. It is told
whose call comes (`key`), what it is expected to take (`cost`) and what it has taken in the end (`used`), both in
tokens: what a queue that is fair to keys goes by. In order of arrival they make no difference.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Generic, TypeVar

Ticket = TypeVar("Ticket")


class Verdict(Enum):
    """What became of a ticket."""

    IN = "in"
    """There was room, and nobody waited."""
    QUEUED = "queued"
    REFUSED = "refused"
    """The queue is full."""


class Gate(Generic[Ticket]):
    """One per deployment. Every IN, and every ticket that `leave` or `resize` returns, must `leave` once."""

    def __init__(self, capacity: int, max_queued: int) -> None:
        self.capacity = capacity
        self.max_queued = max_queued
        self.in_flight = 0
        self._waiting: deque[Ticket] = deque()

    @property
    def queued(self) -> int:
        """How many wait."""
        return len(self._waiting)

    def try_enter(self, key: str, cost: int) -> bool:
        """Goes in if there is room and nobody waits: the common case, without a ticket."""
        if self.in_flight >= self.capacity or self._waiting:
            return False
        self.in_flight += 1
        return True

    def enter(self, ticket: Ticket, key: str, cost: int) -> Verdict:
        """Takes a place, or one in the queue. A ticket that is REFUSED is not kept."""
        if self.try_enter(key, cost):
            return Verdict.IN
        if len(self._waiting) < self.max_queued:
            self._waiting.append(ticket)
            return Verdict.QUEUED
        return Verdict.REFUSED

    def withdraw(self, ticket: Ticket) -> bool:
        """Takes a waiting ticket out. False when it was not waiting (it may have been let in)."""
        try:
            self._waiting.remove(ticket)
        except ValueError:
            return False
        return True

    def leave(self, key: str, used: int) -> Ticket | None:
        """Gives a place back; returns the ticket that takes it, if any."""
        self.in_flight -= 1
        return self._next() if self._waiting else None

    def resize(self, capacity: int, max_queued: int) -> list[Ticket]:
        """New bounds; returns the waiting tickets that now fit."""
        self.capacity, self.max_queued = capacity, max_queued
        admitted = []
        while (ticket := self._next()) is not None:
            admitted.append(ticket)
        return admitted

    def _next(self) -> Ticket | None:
        if self._waiting and self.in_flight < self.capacity:
            self.in_flight += 1
            return self._waiting.popleft()
        return None
