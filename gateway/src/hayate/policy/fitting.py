"""Which turns of a conversation go along with a call, so that its prompt fits the model's context. Pure.

While everything fits, nothing changes: an engine that sees the same beginning again reads only what is new. When it fits no
longer, whole turns are left out, oldest first, as many at once as bring the prompt down to `LEFT` of its room: the beginning
is another one then, and stays the same for the turns that follow. What stands before all turns, the notes and what is said
now always go along, and a turn is never cut, so neither is what a tool was asked and what it answered.

Sizes are estimated (`policy.estimates`) upon what the engine counted of the last call, with a `MARGIN`. Only near the limit,
or where an estimate might be far off, the engine is asked for the exact count: `fitting` is a generator that yields the turn
from which on it wants the prompt counted, and is sent its tokens, or None where nobody can tell.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NamedTuple

from hayate.errors import ContextTooLong

NEAR: Final = 0.2
"""Of the context: with less than that left, the exact count is wanted."""
LEFT: Final = 0.6
"""Of its room: what a prompt has at most from which turns were left out."""
MARGIN: Final = 1.15
"""On what is only estimated."""
FAR: Final = 2.0
"""A prompt that is estimated at so many times its room does not fit, and is not counted first."""
GUESSES: Final = 3
"""So many counts are asked for where the estimate says that the limit is; after that, in the middle of what is left."""
TEMPLATE_TOKENS: Final = 512
"""What a model's template may add to a prompt whose bytes are all that is known of it."""
PICTURE_TOKENS: Final = 2048
"""Of a picture or the like, about, however many bytes it has: engines tell it only afterwards."""
ANSWER_SHARE: Final = 8
"""The part of the context that an answer has for which nothing is asked: one of so many."""
MOST_ANSWER_TOKENS: Final = 4096
"""Of that part."""

Fitting = Generator[int, int | None, "Fit"]


class Size(NamedTuple):
    """Of a part of a request: bytes without pictures, and how many of those."""

    bytes: int = 0
    media: int = 0


class Turn(NamedTuple):
    """A stored turn that may go along: its number in the conversation, and its size."""

    number: int
    bytes: int
    media: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of a conversation: from which turn on it went along, for which context that was decided, and what prompt
    and answer of its last turn came to, as the engine counted (None where that says nothing of this call: other words stand
    before all turns, say).
    """

    first_turn: int = 1
    window: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """From which turn on a conversation goes along, and how many turns are left out. `first_turn` and `window` are to be
    stored with the turn. `near`: an exact count was wanted. `tokens`: of the prompt, where the engine has counted it.
    """

    first_turn: int
    omitted: int
    near: bool = False
    window: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A call that names a conversation."""

    turns: Sequence[Turn]
    """Stored turns that may be left out, oldest first: from `known.first_turn` on, or all (`wants_all`)."""
    new_turn: int
    """The number of the turn that always goes along: the new one, or the last one where this call goes on with that."""
    new: Size
    """What is said now."""
    rest: Size
    """What else always goes along: what stands before all turns, notes, tools; a stored turn that is gone on with."""
    known: Known = Known()
    left_out: int = 0
    """How many stored turns stand before those."""
    output: int | None = None
    """How many tokens the answer may have, where the caller says."""
    truncates: bool = True
    """False: nothing may be left out."""


def wants_all(known: Known, window: int | None, *, truncates: bool = True) -> bool:
    """Whether turns that were left out may come back, so that all must be looked at: the context is larger now, or all must go."""
    return known.first_turn > 1 and (not truncates or (window is not None and window > (known.window or 0)))


def room_of(window: int, output: int | None) -> int:
    """The tokens that a prompt may have in a context of `window`: the answer needs its part of it, but no more than half."""
    reserved = min(window // ANSWER_SHARE, MOST_ANSWER_TOKENS) if output is None else min(output, window // 2)
    return window - reserved


def fitting(request: Request, window: int | None, tokens_of: Callable[[int], float]) -> Fitting:
    """Decides. `tokens_of`: of a request of so many bytes. Raises ContextTooLong where something may not be left out, or where
    there is nothing to leave out and the engine has counted.
    """
    raise NotImplementedError
    yield 0
