"""How fast counts have grown between two looks at a gateway."""

from __future__ import annotations

from collections.abc import Mapping


def rates(before: Mapping[str, int | None], now: Mapping[str, int | None], took_s: float) -> dict[str, float]:
    """By name, a second; 0 where the gateway began to count anew, and nothing where a count was not told both times."""
    if took_s <= 0:
        return {}
    found: dict[str, float] = {}
    for name, count in now.items():
        known = before.get(name)
        if known is not None and count is not None:
            found[name] = max(0, count - known) / took_s
    return found
