"""How much each principal may ask. The limits are the principal's own, else those of the configuration."""

from __future__ import annotations

from hayate.access.principals import Principal
from hayate.errors import RateLimited
from hayate.policy.limits import Allowance, RateLimit
from hayate.settings import RateLimits


class Quotas:
    """Counts requests by principal. One per gateway."""

    def __init__(self, limits: RateLimits | None = None) -> None:
        self._limits = limits or RateLimits()
        self._counted: dict[str, tuple[RateLimits, RateLimit]] = {}

    def configure(self, limits: RateLimits) -> None:
        """New limits for all who have none of their own: those whose limits change start anew."""
        self._limits = limits

    def count(self, principal: Principal, now: float) -> Allowance | None:
        """Counts one request; None where nothing limits it. The allowance says whether it may go (`refuse`)."""
        limits = principal.limits or self._limits
        if limits.requests_per_minute is None:
            return None
        counted = self._counted.get(principal.id)
        if counted is None or counted[0] != limits:
            counted = self._counted[principal.id] = limits, RateLimit(limits.requests_per_minute, limits.burst)
        return counted[1].take(now)


def refuse(allowance: Allowance) -> None:
    """Raises RateLimited when the request may not go."""
    if allowance.retry_after_s:
        raise RateLimited(
            f"This key may make {allowance.limit} requests a minute. Try again in {allowance.retry_after_s:.1f} s.",
            f"このキーは1分間に{allowance.limit}回までです。{allowance.retry_after_s:.1f}秒後にお試しください。",
            retry_after_s=allowance.retry_after_s,
        )
