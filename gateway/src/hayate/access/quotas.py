"""How much each principal may ask."""

from __future__ import annotations

from hayate.errors import RateLimited
from hayate.policy.limits import Allowance, RateLimit
from hayate.settings import RateLimits


class Quotas:
    """Counts the requests of each principal. One per gateway."""

    def __init__(self) -> None:
        self._counted: dict[str, tuple[RateLimits, RateLimit]] = {}

    def count(self, principal_id: str, limits: RateLimits, now: float) -> Allowance | None:
        """Counts one request; None where `limits` name none. Whoever's limits have changed starts anew. The allowance
        says whether the request may go (`refuse`).
        """
        if limits.requests_per_minute is None:
            return None
        counted = self._counted.get(principal_id)
        if counted is None or counted[0] != limits:
            counted = self._counted[principal_id] = limits, RateLimit(limits.requests_per_minute, limits.burst)
        return counted[1].take(now)


def refuse(allowance: Allowance) -> None:
    """Raises RateLimited when the request may not go."""
    if allowance.retry_after_s:
        raise RateLimited(
            f"This key may make {allowance.limit} requests a minute. Try again in {allowance.retry_after_s:.1f} s.",
            f"このキーは1分間に{allowance.limit}回までです。{allowance.retry_after_s:.1f}秒後にお試しください。",
            retry_after_s=allowance.retry_after_s,
        )
