"""How large a prompt is with fewer and fewer turns of its conversation: in bytes, and in tokens as they are estimated. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from hayate.policy.estimates import MOST_BYTES_PER_TOKEN

MARGIN: Final = 1.15
"""On what is only estimated."""
TEMPLATE_TOKENS: Final = 512
"""What a model's template may add to a prompt of which nothing is known but its bytes."""
PICTURE_TOKENS: Final = 2048
"""Of a picture or the like, about, however many bytes it has: engines tell that only afterwards."""


class Size(NamedTuple):
    """Of a part of a request: its bytes without pictures and the like, and how many of those it has."""

    bytes: int = 0
    media: int = 0


NOTHING: Final = Size()


class Turn(NamedTuple):
    """A stored turn that may go along: its number in the conversation, and its size."""

    number: int
    bytes: int
    media: int = 0


class Expected(NamedTuple):
    """Tokens of a prompt that nobody has counted."""

    likely: float
    """With a margin."""
    most: float
    """If every byte were one."""


class PromptSizes:
    """How large the prompt is with the turns from each of `numbers` on, the last of which always goes along."""

    def __init__(
        self, turns: Sequence[Turn], new_turn: int, always: Sequence[Size], tokens_of: Callable[[int], float]
    ) -> None:
        self.numbers = [*(turn.number for turn in turns), new_turn]
        self.last = len(turns)
        self._bytes = _from_each([turn.bytes for turn in turns], sum(each.bytes for each in always))
        self._media = _from_each([turn.media for turn in turns], sum(each.media for each in always))
        self._tokens_of = tokens_of

    def likely(self, index: int, scale: float = MARGIN) -> float:
        """Tokens; `scale`: how many there are for each that is estimated."""
        return scale * self.text(index) + self.pictures(index)

    def text(self, index: int) -> float:
        """Tokens of its words, as they are estimated."""
        return max(self._tokens_of(self._bytes[index]), self.least(index), 1.0)

    def least(self, index: int) -> float:
        """Tokens that it has in any case."""
        return self._bytes[index] / MOST_BYTES_PER_TOKEN

    def pictures(self, index: int) -> int:
        """Tokens of its pictures and the like."""
        return PICTURE_TOKENS * self._media[index]

    def expected(self, index: int) -> Expected:
        """What is known before anybody has counted."""
        return Expected(self.likely(index), self._bytes[index] + TEMPLATE_TOKENS + self.pictures(index))

    def first_within(self, limit: float, scale: float, low: int, high: int) -> int:
        """The first after `low` whose prompt likely has `limit` tokens at most; `high` where none before that has."""
        between = range(low + 1, high)
        return low + 1 + bisect_left(between, True, key=lambda index: self.likely(index, scale) <= limit)

    def last_beyond(self, limit: float) -> int:
        """The last whose prompt surely has more than `limit` tokens, and need not be counted: it could be of any length."""
        return max(0, bisect_left(range(self.last), True, key=lambda index: self.least(index) <= limit) - 1)

    def scale(self, tokens: int, index: int) -> float:
        """How many tokens there are for each that is estimated, now that they are counted."""
        return max(1, tokens - self.pictures(index)) / self.text(index)


def _from_each(sizes: Sequence[int], always: int) -> list[int]:
    """Their sums from each on to the end, `always` included, and that alone."""
    return list(accumulate(reversed(sizes), initial=always))[::-1]
