"""Usage as it is shown: the same over HTTP and by `hayate usage`. Fields are only ever added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel

from hayate.store.costs import exact
from hayate.store.groups import By
from hayate.store.usage import Used

NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})


class UsedAnswer(BaseModel):
    """What the calls of one group add up to."""

    name: str
    label: str
    """What the key is called whose id `name` is; else the same again."""
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


def usage_answer(
    by: By,
    span: tuple[float, float],
    found: Sequence[Used],
    currency: str | None = None,
    labels: Mapping[str, str] = NO_LABELS,
) -> UsageAnswer:
    """Groups as they are shown, since when and until when, in seconds since 1970; `labels` are keys' names, by their ids."""
    since, until = span
    data = [used_answer(each, labels) for each in found]
    return UsageAnswer(by=by, since=_at(since), until=_at(until), currency=currency, data=data)


def used_answer(used: Used, labels: Mapping[str, str] = NO_LABELS) -> UsedAnswer:
    """A group as it is shown; days and hours by their beginning, in UTC."""
    name = used.name if isinstance(used.name, str) else _at(used.name / 1000).isoformat().replace("+00:00", "Z")
    return UsedAnswer(
        name=name,
        label=labels.get(name, name),
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
