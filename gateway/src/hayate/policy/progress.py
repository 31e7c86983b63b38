"""How long a replica with calls in flight may give nothing before that is odd: learned from the replica itself.

Time is an argument, in seconds. What counts is the replica as a whole: from the moment the first call came, or any call
last got something, to the moment any call gets the next thing. That covers first tokens, gaps and whole answers alike.

(1) The longest such silence that ended well is remembered, and fades by half every HALF_LIFE_S.
(2) FACTOR times that is odd, and never less than LEAST_S nor more than `most_s`; `most_s` until SAMPLES were seen.

The code carries these numbers.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from hayate.settings import Probing

FACTOR = 3.0
HALF_LIFE_S = 600.0
LEAST_S = 5.0
SAMPLES = 3
MAX_GAPS = 256
SHORT_S = LEAST_S / FACTOR
"""The limit is the same for all that are no longer than this."""


@dataclass(slots=True)
class Progress:
    """What the calls at one replica got, and when."""

    most_s: float = Probing.quiet_s
    last: float = 0.0
    """When something last came, or the first of the calls in flight went."""
    longest_s: float = 0.0
    samples: int = 0
    gaps: deque[float] | None = None
    """Seconds from token to token of the streams that were looked at last; None where nobody wants to know."""

    def began(self, now: float) -> None:
        """A call went where there was none."""
        self.last = now

    def moved(self, now: float) -> None:
        """Some call got something: the silence before it ended well."""
        silence_s = now - self.last
        if silence_s <= 0:  # many streams are looked at in the same moment
            return
        self.samples += 1
        self.last = now
        # (1) Each silence that ends fades the longest one by as much time as it lasted itself.
        longest_s = self.longest_s
        if silence_s > longest_s:
            self.longest_s = silence_s
        elif longest_s > SHORT_S:  # else it makes no difference how much has faded
            self.longest_s = max(silence_s, longest_s * 0.5 ** (silence_s / HALF_LIFE_S))

    def paced(self, tokens: int, in_s: float) -> None:
        """A stream got so many tokens since it was looked at before."""
        if self.gaps is not None and tokens > 0:
            self.gaps.append(in_s / tokens)

    def watch_pace(self, *, wanted: bool) -> None:
        """Whether anybody wants to know `gaps`."""
        self.gaps = (self.gaps or deque(maxlen=MAX_GAPS)) if wanted else None

    def limit_s(self) -> float:
        """A longer silence than this is odd."""
        if self.samples < SAMPLES:  # (2)
            return self.most_s
        return min(self.most_s, max(LEAST_S, FACTOR * self.longest_s))

    def odd(self, now: float) -> bool:
        """Whether there has been nothing for so long, given that calls are in flight."""
        return now - self.last > self.limit_s()
