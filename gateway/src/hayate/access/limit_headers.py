"""What a key has left, in the headers of an answer: OpenAI's names and its way to write durations.

Told with every answer of a key that has limits: whatever is always the same is made once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from hayate.access.counters import Counted, Counters
from hayate.policy.windows import BUCKETS, Window
from hayate.wire.http1 import Headers

_REQUESTS: Final = (b"x-ratelimit-limit-requests", b"x-ratelimit-remaining-requests", b"x-ratelimit-reset-requests")
_TOKENS: Final = (b"x-ratelimit-limit-tokens", b"x-ratelimit-remaining-tokens", b"x-ratelimit-reset-tokens")
LIMIT_FIELDS: Final = (*_REQUESTS, *_TOKENS)
"""The names of all of them."""


def duration(seconds: float) -> bytes:
    """As OpenAI writes one: `17ms`, `1s`, `6m0s`."""
    if seconds < 1:
        return b"%dms" % math.ceil(seconds * 1000)
    whole = math.ceil(seconds)
    return _DURATIONS[whole] if whole < len(_DURATIONS) else _in_minutes(whole)


def _in_minutes(seconds: int) -> bytes:
    minutes, rest = divmod(seconds, 60)
    return b"%dm%ds" % (minutes, rest) if minutes else b"%ds" % rest


_DURATIONS: Final = [*map(_in_minutes, range(BUCKETS + 1))]
"""Those that are said with every answer."""


_FULL: Final = _DURATIONS[BUCKETS]
"""How long what has just been booked counts, in whole seconds."""


def fresh_headers(counters: Counters) -> Headers:
    """Of a key that has just booked what a call wants, and has no two limits of a kind: nothing need be looked for."""
    if counters.said is None:
        counted = ((_REQUESTS, counters.requests), (_TOKENS, counters.tokens))
        kinds = [(names, window) for names, windows in counted for window, _ in windows]
        always = [pair for names, window in kinds for pair in ((names[0], b"%d" % window.limit), (names[2], _FULL))]
        counters.said = always, [(names[1], window) for names, window in kinds]
    always, changing = counters.said
    headers = always.copy()
    for name, window in changing:
        left = window.limit - window.used
        headers.append((name, b"%d" % left if left > 0 else b"0"))
    return headers


def nearest_headers(
    requests: Sequence[Counted], tokens: Sequence[Counted], now: Callable[[], float], *, fresh: bool
) -> Headers:
    """Of each kind, the window that is fullest; `fresh`: whether it has just booked what a call wants."""
    headers: Headers = []
    for names, counted in ((_REQUESTS, requests), (_TOKENS, tokens)):
        if counted:
            window = counted[0][0] if len(counted) == 1 else _nearest(counted, now())
            left, reset = (window.limit - window.used, _FULL) if fresh else _state(window, now())
            headers += ((names[0], b"%d" % window.limit), (names[1], b"%d" % max(0, left)), (names[2], reset))
    return headers


def _state(window: Window, now: float) -> tuple[int, bytes]:
    return window.left(now), duration(window.reset_s(now))


def _nearest(counted: Sequence[Counted], now: float) -> Window:
    return min((window for window, _ in counted), key=lambda each: each.left(now) / each.limit)
