"""What calls cost: tokens at the prices of the configuration, in decimals that are exact from the first to the last sum.

Prices are those of now, whenever the calls were made. What has no price is counted apart, so that a sum that lacks
something says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact
from typing import Final

from hayate.settings import Price

MILLION_DIGITS: Final = 6
EXACT: Final = Context(prec=100, traps=[Inexact])
"""More digits than any price, times any number of tokens, can have."""
SHOWN_DIGITS: Final = 4
"""Behind the point, where people read."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Of all names that have one, in one currency."""

    by_name: Mapping[str, Price] = field(default_factory=dict)
    currency: str | None = None


def cost(price: Price, tokens_in: int, tokens_cached: int, tokens_out: int) -> Decimal:
    """Of so many tokens; those that were cached are among those that went in."""
    cached = min(tokens_cached, tokens_in)
    cached_price = price.input if price.cached_input is None else price.cached_input
    parts = ((tokens_in - cached, price.input), (cached, cached_price), (tokens_out, price.output))
    found = Decimal(0)
    for tokens, amount in parts:
        found = EXACT.add(found, EXACT.multiply(Decimal(tokens), amount))
    return EXACT.scaleb(found, -MILLION_DIGITS)


def added(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    """Both together; None is what is not known."""
    if one is None or other is None:
        return one if other is None else other
    return EXACT.add(one, other)


def exact(amount: Decimal | None) -> str | None:
    """Every digit, and none that says nothing."""
    if amount is None:
        return None
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def rounded(amount: Decimal | None) -> str:
    """For people: few digits behind the point."""
    if amount is None:
        return "-"
    least = Decimal(1).scaleb(-SHOWN_DIGITS)
    return f"<{least}" if 0 < amount < least else f"{amount:,.{SHOWN_DIGITS}f}"
