"""Which event streams are over: a browser that lost one connects again by itself and must not run the prompt a second
time.

Per caller, so that nobody can learn of another's streams or push them out. What has been forgotten counts as unknown,
which is never a reason to run a prompt again either.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

AT_MOST: Final = 1024
"""Streams remembered of one caller; the oldest goes first."""
KEEP_S: Final = 3600.0
"""How long: browsers connect again within seconds, a laptop that slept within the hour."""
_MAX_ID_CHARS: Final = 192
MAX_COUNT: Final = 999_999_999


def split_id(event_id: str) -> tuple[str, int] | None:
    """The stream and the event's number, if this is `<stream>-<n>` as ours are."""
    stream, _, count = event_id.rpartition("-")
    if not stream or len(event_id) > _MAX_ID_CHARS or not event_id.isascii() or not count.isdigit():
        return None
    return (stream, int(count)) if len(count) <= len(str(MAX_COUNT)) else None


class EndedStreams:
    """One per gateway. `owner` is the caller's key by its name; `now` is monotonic."""

    def __init__(self) -> None:
        self._ended: dict[str, OrderedDict[str, tuple[int, float]]] = {}

    def add(self, owner: str, stream: str, now: float, *, last: int = 0) -> None:
        """`stream` is over. Who has its event number `last` knows that; by default everybody has been told."""
        ended = self._ended.setdefault(owner, OrderedDict())
        ended[stream] = (last, now)
        ended.move_to_end(stream)
        while len(ended) > AT_MOST or next(iter(ended.values()))[1] < now - KEEP_S:
            ended.popitem(last=False)

    def knows(self, owner: str, event_id: str, now: float) -> bool:
        """Whether the caller whose last event was `event_id` knows, or was told, that its stream is over."""
        found = split_id(event_id)
        if found is None:
            return False
        stream, count = found
        ended = self._ended.get(owner)
        last, at = ended.get(stream, (count + 1, now)) if ended is not None else (count + 1, now)
        return count >= last and at >= now - KEEP_S
