"""Models for the arbiter's tests."""

from __future__ import annotations

from collections.abc import Mapping

from hayate.policy.tenant import TenantTerms


def terms(
    name: str, needs: Mapping[str, int], *, pin: bool = False, idle_unload_s: float | None = None, preload: bool = False
) -> TenantTerms:
    """As configured; what is left out is as if it were left out there."""
    return TenantTerms(name, needs, pin=pin, idle_unload_s=idle_unload_s, preload=preload)
