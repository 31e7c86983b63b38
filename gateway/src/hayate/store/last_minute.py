"""What each key has used of each model lately, second by second: from this a new process knows what may still go.

However many calls there were, what is read is one row for each key, model and second. A call that was
refused before any engine was asked has used nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from hayate.store.ids import LOW_BITS, first_id

QUERY: Final = text("""
WITH taken AS (
    SELECT key, model, tokens_in, tokens_out, (id >> :bits) AS ended_ms,
           (id >> :bits) - total_ms AS began_ms, queued_ms, ttft_ms
    FROM calls WHERE id >= :first AND id < :end AND (attempts > 0 OR status < 400)
)
SELECT keys.name, models.name, counted.second, SUM(counted.requests), SUM(counted.inputs), SUM(counted.outputs)
FROM (
    SELECT key, model, (began_ms + :shift_ms) / 1000 AS second, 1 AS requests, 0 AS inputs, 0 AS outputs FROM taken
    UNION ALL
    SELECT key, model, (COALESCE(began_ms + ttft_ms - queued_ms, ended_ms) + :shift_ms) / 1000, 0, tokens_in, tokens_out
    FROM taken
) AS counted
JOIN names AS keys ON keys.id = counted.key JOIN names AS models ON models.id = counted.model
GROUP BY counted.key, counted.model, counted.second
""")
"""Requests are counted where they began. Tokens were when the body had been read, which nobody wrote down: they are counted at
the first moment that is surely not earlier.
"""
BACK_S: Final = 62.0
"""How far back a call may have ended that is looked at."""
AHEAD_S: Final = 600.0
"""How far ahead: the wall's clock may have been set back since. What lies further ahead comes from a clock that was wrong."""
ROUNDED_MS: Final = 2
"""How much earlier than it was a moment may be written down."""


class LatelyUsed(NamedTuple):
    """In one second of the clock that `lately` was asked for."""

    key: str
    model: str
    second: int
    requests: int
    inputs: int
    outputs: int


def lately(connection: Connection, wall: float, shift_s: float) -> Iterator[LatelyUsed]:
    """What was used in the minute before `wall`, in seconds since 1970. `shift_s`: what must be added to such a time to have it
    on the caller's clock.
    """
    found = connection.execute(
        QUERY,
        {
            "bits": LOW_BITS,
            "first": first_id(wall - BACK_S),
            "end": first_id(wall + AHEAD_S),
            "shift_ms": math.ceil(shift_s * 1000) + ROUNDED_MS,
        },
    )
    return (LatelyUsed(*row) for row in found)
