"""How many calls one engine gets at a time: as many as it works on at once, found from its own signals.

Beyond that number more calls only wait, and where they wait matters: here they can be ordered and can leave, in an
engine's queue they can't. The engine is looked at about once a second, and only while it makes a difference (`matters`).
Time is an argument, in seconds.

(1) The engine has a queue, two looks in a row: it works on all it can. The most that is let in is a little less than
    that, so that a short call finds a place, and this is remembered for REMEMBERED_S; where it turns out to be what it
    was, for twice as long (LONGEST_S at most): whoever comes while it is tried may find no place. (How many run is the
    most of the last looks: when many answers end together, an engine reads prompts for a while before all its places
    are taken again.)
(2) Its KV cache is nearly full: one call fewer, before it has to throw work away.
(3) Calls wait here, all places are taken and the cache has room, also for what the answers under way will soon need of
    it: more. A quarter more until a limit is first met, an eighth after that, but one by one up to the limit that was
    met last, so that it is passed by one call at most.
(4) Answers get fewer tokens a second than they should: a tenth fewer calls.
(5) An engine that tells nothing gets UNSEEN; one that refuses calls gets fewer, and more again when it has taken them
    all for REMEMBERED_S. One that told something once and is silent keeps the number it has.

A few places above the number (`spare`) are for those who have few calls there: they keep a short call from waiting for
a long one, and cost no throughput.

The code carries these numbers.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

START: Final = 16
"""Before anything is known."""
UNSEEN: Final = 256
MOST: Final = 4096
"""Whatever the signals say."""
SPARE: Final = 8
"""One place in so many is added."""
RESERVE: Final = 32
"""One in so many of an engine's own places is left free, and of a few (FEW) one."""
FEW: Final = 8
REMEMBERED_S: Final = 30.0
LONGEST_S: Final = 120.0
AWAY_S: Final = 5.0
"""Without a look for so long, the engine may be another by now."""
RAN_LOOKS: Final = 3
FULL: Final = 0.92
ROOM: Final = 0.85
"""Of the KV cache."""
AHEAD_S: Final = 20.0
"""How far the growth of its use is thought on, by what it was over USE_LOOKS."""
USE_LOOKS: Final = 4
NEARLY: Final = 0.9
"""So slow that one more would be too much."""
SILENT_LOOKS: Final = 3
"""So many without an answer, and it is known that there is none."""

Why = Literal[
    "fixed",
    "slots",
    "starting",
    "raised",
    "engine_queue",
    "kv_cache",
    "too_slow",
    "engine_refused",
    "no_signals",
    "stale",
]


@dataclass(frozen=True, slots=True)
class Load:
    """What an engine says of its work; None for what it does not tell."""

    running: int | None = None
    waiting: int | None = None
    """In its own queue."""
    kv_use: float | None = None
    """How much of its KV cache is in use, from 0 to 1."""


class Ceiling:
    """Of one replica. `places` (and `spare`) is how many calls it may have, `why` what decided that, `since` when."""

    __slots__ = (
        "_gap_s",
        "_in_a_row",
        "_limit",
        "_met",
        "_met_at",
        "_ran",
        "_remembered_s",
        "_set",
        "_silent",
        "_told",
        "_used",
        "places",
        "since",
        "spare",
        "why",
    )

    def __init__(self) -> None:
        self.places = START
        self.spare = START // SPARE
        self.why: Why = "starting"
        self.since = 0.0
        self._set: tuple[object, ...] = ()
        self._gap_s: float | None = None
        self._forget()

    def _forget(self) -> None:
        """Nothing is known of the engine."""
        self._limit: int | None = None
        self._met = 0
        """How many calls there were when a limit was met last, and when that was."""
        self._met_at = 0.0
        self._in_a_row = 0
        """Looks at which the engine had a queue."""
        self._ran: deque[int] = deque(maxlen=RAN_LOOKS)
        self._used: deque[tuple[float, float]] = deque(maxlen=USE_LOOKS)
        """When how much of the cache was in use."""
        self._silent = 0
        self._told = False
        self._remembered_s = REMEMBERED_S
        """How long the limit is kept to without another try."""

    def configure(
        self, max_in_flight: int | Literal["auto"], slots: int | None = None, min_tokens_per_s: float | None = None
    ) -> None:
        """What is set, and the places that the engine is known to have; nothing changes where neither did."""
        self._gap_s = None if min_tokens_per_s is None else 1 / min_tokens_per_s
        if self._set == (max_in_flight, slots):
            return
        self._set = max_in_flight, slots
        if max_in_flight != "auto" and (slots is None or max_in_flight <= slots):
            self.places, self.spare, self.why = max_in_flight, 0, "fixed"
        elif slots is not None:  # what waits in an engine with slots can't leave
            self.places, self.spare, self.why = slots, 0, "slots"
        else:
            self._forget()
            self._take(START, "starting", self.since)

    @property
    def adapts(self) -> bool:
        """Whether looks change anything."""
        return self.why not in ("fixed", "slots")

    def matters(self, in_flight: int, queued: int) -> bool:
        """Whether a look may change what happens next."""
        return self.adapts and (queued > 0 or in_flight * 4 >= self.places * 3)

    def look(self, now: float, load: Load | None, in_flight: int, queued: int, gap_s: float | None = None) -> None:
        """The engine has been asked: what it said (None: nothing), how many calls it has from here, how many wait here, and the
        seconds between two tokens of an answer, if known.
        """
        if not self.adapts:
            return
        if load is None or load.waiting is None:  # by the cache alone it is not seen when it has enough
            self._unseen(now, in_flight, queued)
            return
        if self.why in ("no_signals", "engine_refused"):
            self._take(min(self.places, max(START, in_flight)), "starting", now)
        elif self.why == "stale":
            self.why = "raised"
        self._silent, self._told = 0, True
        self._ran.append(in_flight if load.running is None else min(load.running, in_flight))
        self._in_a_row = self._in_a_row + 1 if load.waiting else 0
        use = load.kv_use or 0.0
        if self._used and now - self._used[-1][0] > AWAY_S:
            self._remembered_s = REMEMBERED_S
        self._used.append((now, use))
        if self._in_a_row >= 2:  # (1)
            self._remember(max(self._ran), now)
            self._limit = max(1, self._met - max(self._met >= FEW, self._met // RESERVE))
            self._take(min(self._limit, self.places), "engine_queue", now)
        elif use > FULL:  # (2)
            self._met, self._met_at = self.places, now
            self._take(self.places - 1, "kv_cache", now)
        elif self._slower_than(1.0, gap_s):  # (4)
            self._met, self._met_at = self.places, now
            self._take(self.places * 9 // 10, "too_slow", now)
        elif not load.waiting and queued and in_flight >= self.places and self._has_room(gap_s):  # (3)
            self._raise(now)

    def _remember(self, running: int, now: float) -> None:
        """The engine's limit is met. Where a new try has found what it was, it is tried half as often from then on."""
        if self._limit is None or abs(running - self._met) > 1:
            self._remembered_s = REMEMBERED_S
        elif now - self._met_at > self._remembered_s:
            self._remembered_s = min(2 * self._remembered_s, LONGEST_S)
        self._met, self._met_at = running, now

    def refused(self, now: float, in_flight: int) -> None:
        """An engine that tells nothing has refused a call; `in_flight` of ours are still there. Counts once a second at most,
        and not where it has none of ours: then they are not what is too many.
        """
        if not self.adapts or self._told or not in_flight or (self.why == "engine_refused" and now - self.since < 1):
            return
        self._met_at = now
        self._take(max(self.places * 3 // 4, min(self.places - 1, in_flight)), "engine_refused", now)

    def _unseen(self, now: float, in_flight: int, queued: int) -> None:
        self._silent += 1
        if self._silent < SILENT_LOOKS:
            return
        if self._told:  # (5)
            self.why = "stale"
        elif self.why == "starting":
            self._take(UNSEEN, "no_signals", now)
        elif self.places < UNSEEN and queued and in_flight >= self.places and now - self._met_at > REMEMBERED_S:
            self._take(min(UNSEEN, self.places + max(1, self.places // 8)), "no_signals", now)

    def _slower_than(self, share: float, gap_s: float | None) -> bool:
        return self._gap_s is not None and gap_s is not None and gap_s > self._gap_s * share

    def _has_room(self, gap_s: float | None) -> bool:
        """Whether the cache will not be full in AHEAD_S, if its use goes on growing as it does, and answers come fast enough."""
        (was_at, was), (now, use) = self._used[0], self._used[-1]
        ahead = use + max(0.0, use - was) / max(now - was_at, 1.0) * AHEAD_S
        return ahead < ROOM and not self._slower_than(NEARLY, gap_s)

    def _raise(self, now: float) -> None:
        most = MOST if self._limit is None or now - self._met_at > self._remembered_s else self._limit
        if self.places >= most:
            return
        starting = self.why == "starting"
        more = 1 if self.places < self._met + 2 else max(1, self.places // (4 if starting else 8))
        self._take(min(self.places + more, most), "starting" if starting else "raised", now)

    def _take(self, places: int, why: Why, now: float) -> None:
        places = max(1, min(places, MOST))
        if places != self.places or why != self.why:
            self.since = now
        self.places, self.why = places, why
        self.spare = max(1, places // SPARE)
