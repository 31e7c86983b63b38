"""Usage as it is shown: the same over HTTP and by `hayate usage`. Fields are only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import BaseModel

from hayate.store.costs import exact
from hayate.store.groups import By
from hayate.store.usage import Used


class UsedAnswer(BaseModel):
    """What the calls of one group add up to."""

    name: str
    calls: int
    failed: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    inexact_calls: int
    cost: str | None
    """An exact decimal, in the answer's currency, of those calls that have a price."""
    unpriced_calls: int


class UsageAnswer(BaseModel):
    """By what it is grouped, since when and until when, and the groups."""

    by: str
    since: datetime
    until: datetime
    currency: str | None
    data: list[UsedAnswer]


def usage_answer(by: By, since: float, until: float, found: Sequence[Used], currency: str | None = None) -> UsageAnswer:
    """Groups as they are shown; times in seconds since 1970."""
    data = [used_answer(each) for each in found]
    return UsageAnswer(by=by, since=_at(since), until=_at(until), currency=currency, data=data)


def used_answer(used: Used) -> UsedAnswer:
    """A group as it is shown; days and hours by their beginning, in UTC."""
    name = used.name if isinstance(used.name, str) else _at(used.name / 1000).isoformat()
    return UsedAnswer(
        name=name,
        calls=used.calls,
        failed=used.failed,
        input_tokens=used.tokens_in,
        cached_tokens=used.tokens_cached,
        output_tokens=used.tokens_out,
        inexact_calls=used.inexact,
        cost=exact(used.cost),
        unpriced_calls=used.unpriced,
    )


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
