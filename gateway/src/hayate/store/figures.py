"""How each deployment did, minute by minute, for a day: one row a minute of each gateway on the folder, which goes when its day
is over. A gateway is told from others by its port: so that it goes on with its own after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import orjson
from sqlalchemy import Connection, or_, select

from hayate.store.schema import figures

KEPT_S: Final = 24 * 3600
AHEAD_S: Final = 3600.0
"""A row that lies further ahead comes from a clock that was wrong."""


class Minute(NamedTuple):
    """When it ended, in seconds since 1970, and the figures of each deployment by its name."""

    at: float
    rows: Mapping[str, Sequence[float | None]]


def keep(port: int, at: float, rows: Mapping[str, Sequence[float]]) -> Callable[[Connection], None]:
    """What keeps a minute, and lets go of those whose time is over."""

    def how(connection: Connection) -> None:
        at_ms = figures.c.at_ms
        over = or_(at_ms < int((at - KEPT_S) * 1000), at_ms > int((at + AHEAD_S) * 1000))
        connection.execute(figures.delete().where(over))
        row = {"port": port, "at_ms": int(at * 1000), "body": orjson.dumps(rows).decode()}
        connection.execute(figures.insert(), row)

    return how


def minutes(connection: Connection, port: int, since: float) -> list[Minute]:
    """Of one gateway, from a time on, the earliest first."""
    query = select(figures.c.at_ms, figures.c.body).where(figures.c.port == port, figures.c.at_ms >= int(since * 1000))
    found = connection.execute(query.order_by(figures.c.at_ms))
    return [Minute(row.at_ms / 1000, orjson.loads(row.body)) for row in found]
