"""How a call wants to wait for its place, by its headers and by what its key says.

`x-hayate-queue: events` has a stream told where it stands, `x-deadline-ms` says when the call is of no use any more, and
`x-hayate-priority: low` lets the key's other calls, and everybody's, go before.
"""

from __future__ import annotations

from typing import Final

from hayate.access.terms import MAX_DEADLINE_MS, SAYS_NOTHING, Terms
from hayate.downstream.client import Client
from hayate.errors import InvalidRequest
from hayate.policy.waits import PLAIN, Waits, plain_waits
from hayate.wire.http1 import Fields

QUEUE: Final = b"x-hayate-queue"
DEADLINE: Final = b"x-deadline-ms"
PRIORITY: Final = b"x-hayate-priority"
_SAID: Final = frozenset({QUEUE, DEADLINE, PRIORITY})
_DIGITS: Final = len(str(MAX_DEADLINE_MS))


def wanted_waits(fields: Fields, terms: Terms, client: Client) -> Waits:
    """Of a call whose headers are `fields`. Raises InvalidRequest, naming the header."""
    defaults = terms.defaults
    if _SAID.isdisjoint(fields):
        if terms.weight == 1 and defaults is SAYS_NOTHING:
            return PLAIN
        return plain_waits(terms.weight, defaults.deadline_ms)
    queue, deadline, priority = fields.get(QUEUE), fields.get(DEADLINE), fields.get(PRIORITY)
    deadline_ms = defaults.deadline_ms if deadline is None else _milliseconds(deadline)
    return Waits(
        terms.weight,
        low=priority is not None and _is_low(priority),
        deadline_s=None if deadline_ms is None else deadline_ms / 1000,
        tell=client.stands if queue is not None and _wants_events(queue) else None,
    )


def _milliseconds(value: bytes) -> int:
    if value.isdigit() and len(value) <= _DIGITS and 1 <= int(value) <= MAX_DEADLINE_MS:
        return int(value)
    raise InvalidRequest(
        f"The header 'X-Deadline-Ms' is a number of milliseconds from 1 to {MAX_DEADLINE_MS}.",
        f"ヘッダー 'X-Deadline-Ms' には1から{MAX_DEADLINE_MS}までのミリ秒数を指定してください。",
        param="x-deadline-ms",
    )


def _is_low(value: bytes) -> bool:
    if value not in (b"low", b"normal"):
        raise InvalidRequest(
            "The header 'X-Hayate-Priority' is 'low' or 'normal': a call can be made less urgent than its key, not more. "
            "A key's own weight is set by whoever runs this gateway.",
            "ヘッダー 'X-Hayate-Priority' には 'low' か 'normal' を指定してください。優先度は下げることしかできません。"
            "APIキー自体の重みはゲートウェイの管理者が設定します。",
            param="x-hayate-priority",
        )
    return value == b"low"


def _wants_events(value: bytes) -> bool:
    if value not in (b"events", b"none"):
        raise InvalidRequest(
            "The header 'X-Hayate-Queue' is 'events', which has a waiting stream told where it stands, or 'none'.",
            "ヘッダー 'X-Hayate-Queue' には 'events'（待機中のストリームに順番を通知）か 'none' を指定してください。",
            param="x-hayate-queue",
        )
    return value == b"events"
