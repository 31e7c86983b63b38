"""What was used, added up from the record of calls; and the calls themselves, the latest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from sqlalchemy import ColumnElement, Connection, Integer, cast, func, select

from hayate.settings import Price
from hayate.store.costs import added, cost
from hayate.store.groups import By
from hayate.store.ids import LOW_BITS, first_id, made_at
from hayate.store.schema import calls, keys, names

WORDS: Final = ("key", "project", "path", "model", "deployment", "replica", "error", "finish")
"""Columns that hold the number of a word."""
HOUR_MS: Final = 3_600_000
MAX_ROWS: Final = 10_000
"""Of one answer."""
NO_PRICES: Final[Mapping[str, Price]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Used:
    """What the calls of one group add up to. `name` is a word, or the beginning of a day or an hour in milliseconds."""

    name: str | int
    calls: int
    failed: int
    """Of them, those that ended with a status of 400 or above, clients that left included."""
    tokens_in: int
    tokens_cached: int
    tokens_out: int
    inexact: int
    """Calls whose tokens are an estimate."""
    cost: Decimal | None = None
    """Of those calls whose price is known; None where that is none."""
    unpriced: int = 0
    """Calls that used tokens whose price is not known, where any is."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which calls: from `since` on and before `until`, in seconds since 1970; all where nothing is named."""

    since: float | None = None
    until: float | None = None
    key: str | None = None
    project: str | None = None
    model: str | None = None
    deployment: str | None = None
    error: str | None = None
    status: int | None = None


def used(
    connection: Connection, by: By, which: Filter, offset_s: int = 0, prices: Mapping[str, Price] = NO_PRICES
) -> list[Used]:
    """Added up by a word, the greatest first, or by time, the earliest first; days are those of a clock `offset_s` ahead of
    UTC. Of more than MAX_ROWS the greatest, or the latest, are given. `prices`: by the name that was called, else by the
    deployment that answered.
    """
    if by in ("day", "hour"):
        span_ms = HOUR_MS if by == "hour" else 24 * HOUR_MS
        at_ms = cast(calls.c.id.op(">>")(LOW_BITS), Integer) + offset_s * 1000
        group = at_ms - at_ms % span_ms - offset_s * 1000
    else:
        group = calls.c[by]
    failed = func.sum(cast(calls.c.status >= 400, Integer))
    taken = calls.c.tokens_in + calls.c.tokens_out > 0  # what no engine took is no estimate
    inexact = func.sum(cast(~calls.c.exact & taken, Integer))
    query = select(group.label("name"), func.count(), failed, *_TOKENS, inexact).where(*_conditions(which))
    first = group.desc() if by in ("day", "hour") else func.sum(calls.c.tokens_in + calls.c.tokens_out).desc()
    rows = [tuple(row) for row in connection.execute(query.group_by(group).order_by(first).limit(MAX_ROWS))]
    if prices:
        costs = _costs(connection, group, which, prices)
        rows = [(*row, *costs.get(row[0], (None, 0))) for row in rows]
    if by in ("day", "hour"):
        return sorted((Used(*row) for row in rows), key=lambda each: each.name)
    words = _words(connection, {row[0] for row in rows})
    found = [Used(words[row[0]], *row[1:]) for row in rows]
    return sorted(found, key=lambda each: (-(each.tokens_in + each.tokens_out), -each.calls, each.name))


def _costs(
    connection: Connection, group: ColumnElement[int], which: Filter, prices: Mapping[str, Price]
) -> dict[int, tuple[Decimal | None, int]]:
    """Of each group: what its calls cost, and how many have no price. A row for each model and deployment within it is read,
    one at a time.
    """
    found = connection.execute(select(names.c.id, names.c.name).where(names.c.name.in_(prices)))
    by_word = {row.id: prices[row.name] for row in found}
    used_any = func.sum(cast(calls.c.tokens_in + calls.c.tokens_out > 0, Integer))
    query = select(group, calls.c.model, calls.c.deployment, used_any, *_TOKENS).where(*_conditions(which))
    costs: dict[int, tuple[Decimal | None, int]] = {}
    for name, model, deployment, count, *tokens in connection.execute(
        query.group_by(group, calls.c.model, calls.c.deployment)
    ):
        price = by_word.get(model) or by_word.get(deployment)
        before, unpriced = costs.get(name, (None, 0))
        if price is None:
            costs[name] = before, unpriced + count
        else:
            costs[name] = added(before, cost(price, *tokens)), unpriced
    return costs


_TOKENS: Final = [func.sum(calls.c[name]) for name in ("tokens_in", "tokens_cached", "tokens_out")]


@dataclass(frozen=True, slots=True)
class Kept:
    """One call as it was recorded; times in milliseconds, `ended_at` in seconds since 1970."""

    id: int
    ended_at: float
    request_id: str
    key: str
    project: str
    path: str
    model: str
    deployment: str
    replica: str
    attempts: int
    status: int
    error: str
    finish: str
    stream: bool
    queued_ms: int
    ttft_ms: int | None
    total_ms: int
    tokens_in: int
    tokens_cached: int
    tokens_out: int
    exact: bool


def recent(connection: Connection, which: Filter, *, before: int | None = None, limit: int = 100) -> list[Kept]:
    """The latest calls, from before the call `before` on."""
    query = select(calls).where(*_conditions(which)).order_by(calls.c.id.desc()).limit(min(limit, MAX_ROWS))
    if before is not None:
        query = query.where(calls.c.id < before)
    rows = [dict(row._mapping) for row in connection.execute(query)]
    words = _words(connection, {row[column] for row in rows for column in WORDS})
    return [
        Kept(
            ended_at=made_at(row["id"]),
            **{column: words[value] if column in WORDS else value for column, value in row.items()}
            | {"request_id": row["request_id"].decode()},
        )
        for row in rows
    ]


def key_names(connection: Connection, found: Sequence[Used]) -> dict[str, str]:
    """What the keys of these groups are called, by their ids."""
    ids = [each.name for each in found if isinstance(each.name, str)]
    names_of: dict[str, str] = {}
    for first in range(0, len(ids), 500):
        query = select(keys.c.id, keys.c.name).where(keys.c.id.in_(ids[first : first + 500]))
        names_of |= {row.id: row.name for row in connection.execute(query)}
    return names_of


def _conditions(which: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if which.since is not None:
        found.append(calls.c.id >= first_id(which.since))
    if which.until is not None:
        found.append(calls.c.id < first_id(which.until))
    for column in ("key", "project", "model", "deployment", "error"):
        word = getattr(which, column)
        if word is not None:
            found.append(calls.c[column] == select(names.c.id).where(names.c.name == word).scalar_subquery())
    if which.status is not None:
        found.append(calls.c.status == which.status)
    return found


def _words(connection: Connection, numbers: set[int]) -> dict[int, str]:
    """Numbers back to words, some hundreds in one query."""
    found: dict[int, str] = {}
    wanted = sorted(numbers)
    for first in range(0, len(wanted), 500):
        query = select(names.c.id, names.c.name).where(names.c.id.in_(wanted[first : first + 500]))
        found |= {row.id: row.name for row in connection.execute(query)}
    return found
