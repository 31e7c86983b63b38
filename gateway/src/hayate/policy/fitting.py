"""Which turns of a conversation go along with a call, so that its prompt fits the model's context. Pure.

While everything fits, nothing changes: an engine that sees the same beginning again reads only what is new. When it fits no
longer, whole turns are left out, oldest first, as many at once as bring the prompt down to `LEFT` of its room: the beginning
is another one then, and stays the same for the turns that follow. What stands before all turns, the notes and what is said
now always go along, and a turn is never cut, so neither is what a tool was asked and what it answered.

Sizes are estimated (`policy.estimates`) upon what the engine counted of the last call, with a `MARGIN`. Only near the limit,
or where an estimate might be far off, the engine is asked for the exact count: `fitting` is a generator that yields the turn
from which on it wants the prompt counted, without its pictures, and is sent its tokens, or None where nobody can tell. With
T turns it asks log₂ T + `GUESSES` times at most, mostly two or three times, and only when turns are left out more than once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Final

from hayate.errors import ContextTooLong
from hayate.policy.estimates import BYTES_PER_TOKEN, MOST_BYTES_PER_TOKEN
from hayate.policy.prompt_sizes import MARGIN, NOTHING, PICTURE_TOKENS, Expected, PromptSizes, Size, Turn

NEAR: Final = 0.2
"""Of the context: with less than that left, the exact count is wanted."""
SLACK: Final = 1 / 64
"""Of the context: how much more an answer may come to that is read again than it came to when it was made."""
LEFT: Final = 0.6
"""Of its room: what a prompt has at most from which turns were left out."""
GUESSES: Final = 3
"""So many counts are asked for where the estimate says that the limit is; after that, in the middle of what is left."""
ANSWER_SHARE: Final = 8
"""An answer for which no limit is asked has the context's part of one in so many."""
MOST_ANSWER_TOKENS: Final = 4096
"""Of that part."""

Fitting = Generator[int, int | None, "Fit"]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a conversation from its last call."""

    first_turn: int = 1
    """From which turn on it went along."""
    window: int | None = None
    """The context, in tokens, for which turns were left out; None where none were."""
    tokens: int | None = None
    """What prompt and answer came to, as the engine counted; None where that says nothing of this call, because other words
    stand before all turns now, say.
    """
    deployment: str | None = None
    """Whose count that is, where it is still known: another's tokens are others."""
    rest: int | None = None
    """Bytes of what went along beside the turns (`Request.rest`), where that is still known: tools come and go."""


@dataclass(frozen=True, slots=True)
class Fit:
    """From which turn on a conversation goes along."""

    first_turn: int
    omitted: int
    """How many turns are left out."""
    near: bool = False
    """Whether an exact count was wanted."""
    window: int | None = None
    """To be stored with `first_turn`: the context for which it was chosen."""
    tokens: int | None = None
    """Of the prompt, where the engine has counted it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A call that goes on with a conversation."""

    turns: Callable[[], Sequence[Turn]]
    """The stored turns that may be left out, oldest first: from `known.first_turn` on, or all where `wants_all` says so. Looked at
    only when it is not plain that all fit.
    """
    new_turn: int
    """The number of the turn that always goes along: the new one, or the last one where this call goes on with that."""
    new: Size
    """What is said now."""
    rest: Size = NOTHING
    """What else always goes along: what stands before all turns, notes, tools."""
    current: Size = NOTHING
    """The stored turn that this call goes on with, so that it always goes along too."""
    known: Known = Known()
    left_out: int = 0
    """How many stored turns there are before those of `turns`."""
    output: int | None = None
    """The limit on the answer, in tokens, where the caller sets one."""
    truncates: bool = True
    """False: nothing may be left out."""


def wants_all(known: Known, window: int | None, *, truncates: bool = True) -> bool:
    """Whether turns that were left out may come back: nothing may be left out now, or the context is larger than it was."""
    return known.first_turn > 1 and (not truncates or (window is not None and window > (known.window or 0)))


def room_of(window: int, output: int | None) -> int:
    """The tokens that a prompt may have in a context of `window`: the answer needs its part of it, but no more than half."""
    reserved = min(window // ANSWER_SHARE, MOST_ANSWER_TOKENS) if output is None else min(output, window // 2)
    return window - reserved


def fitting(
    request: Request, window: int | None, tokens_of: Callable[[int], float], *, deployment: str | None = None
) -> Fitting:
    """Decides. `window`: the context of `deployment`, in tokens; None where it is not known, and all go along. `tokens_of`: of a
    request of so many bytes. Raises ContextTooLong where it can't fit: nothing may be left out, or nothing is there that could be.
    """
    known, back = request.known, wants_all(request.known, window, truncates=request.truncates)
    if window is None:
        return _fit(request, _sizes(request, tokens_of), 0, None) if back else _as_before(request)
    room = room_of(window, request.output)
    near, most = room - NEAR * window, room - SLACK * window
    expected = None if back else _upon_last(request, tokens_of)
    if expected is not None:
        # What is new has no more tokens than bytes: with the same tokenizer, that is no estimate.
        same = known.deployment is not None and known.deployment == deployment
        if expected.most <= most and (same or expected.likely <= near):
            return _as_before(request)
    sizes = _sizes(request, tokens_of)
    if expected is None:
        expected = sizes.expected(0)
        if expected.most <= most and expected.likely <= near:
            return _fit(request, sizes, 0, window) if back else _as_before(request)
    return (yield from _look(request, sizes, expected.likely, window))


def fewer(request: Request, sent: Fit, window: int | None, tokens_of: Callable[[int], float]) -> Fit | None:
    """After the engine has refused as too long what `sent` chose: `LEFT` of that. None where nothing more can be left out."""
    sizes = _sizes(request, tokens_of)
    index = bisect_left(sizes.numbers, sent.first_turn)
    if not request.truncates or index >= sizes.last:
        return None
    return _fit(
        request, sizes, sizes.first_within(LEFT * sizes.likely(index), MARGIN, index, sizes.last), window, near=True
    )


def _look(request: Request, sizes: PromptSizes, likely: float, window: int) -> Fitting:
    """Near the limit, or beyond it. Turns that were left out come back only if they leave as much room as leaving out makes."""
    room = room_of(window, request.output)
    tokens = None
    movable = request.truncates and sizes.last > 0
    if sizes.least(0) <= room or not movable:
        told = yield sizes.numbers[0]
        tokens = None if told is None else told + sizes.pictures(0)
    if not movable:
        if tokens is not None and tokens >= window:
            raise _too_long(tokens, window, alone=not sizes.last)
        return _fit(request, sizes, 0, window, near=True, tokens=tokens)
    kept = bisect_left(sizes.numbers, request.known.first_turn)
    if (likely if tokens is None else tokens) <= room:
        return _fit(request, sizes, 0, request.known.window, near=True, tokens=tokens)
    scale = max(MARGIN, likely / sizes.likely(0) * MARGIN) if tokens is None else sizes.scale(tokens, 0)
    index, tokens = yield from _least(sizes, LEFT * room, scale)
    if kept and index >= kept:
        told = yield sizes.numbers[kept]
        count = sizes.likely(kept, scale) if told is None else told + sizes.pictures(kept)
        if count <= room:
            return _fit(request, sizes, kept, window, near=True, tokens=None if told is None else int(count))
    return _fit(request, sizes, index, window, near=True, tokens=tokens)


def _least(sizes: PromptSizes, limit: float, scale: float) -> Generator[int, int | None, tuple[int, int | None]]:
    """The first turn from which on the prompt has `limit` tokens at most, and its tokens where they were counted; the last
    where none has: that one always goes along.
    """
    low, high, counted = sizes.last_beyond(limit), sizes.last, None
    asked = 0
    while high - low > 1:
        guess = sizes.first_within(limit, scale, low, high)
        probe = min(guess, high - 1) if asked < GUESSES else (low + high) // 2
        told = yield sizes.numbers[probe]
        if told is None:
            return sizes.first_within(limit, max(scale, MARGIN), low, high), None
        count = told + sizes.pictures(probe)
        if count <= limit:
            high, counted = probe, count
        else:
            low = probe
        scale = sizes.scale(count, probe)
        asked += 1
    return high, counted


def _upon_last(request: Request, tokens_of: Callable[[int], float]) -> Expected | None:
    """What the engine counted of the last call, and what is new; None where that says nothing of this one."""
    known, new = request.known, request.new
    if known.tokens is None:
        return None
    more = new.bytes + (0 if known.rest is None else max(0, request.rest.bytes - known.rest))
    before = int(known.tokens * BYTES_PER_TOKEN)  # a request like the last one: there a byte makes what it makes here
    text = max(tokens_of(before + more) - tokens_of(before), more / MOST_BYTES_PER_TOKEN)
    pictures = PICTURE_TOKENS * new.media
    return Expected(known.tokens + MARGIN * text + pictures, known.tokens + more + pictures)


def _sizes(request: Request, tokens_of: Callable[[int], float]) -> PromptSizes:
    return PromptSizes(request.turns(), request.new_turn, (request.new, request.rest, request.current), tokens_of)


def _fit(
    request: Request,
    sizes: PromptSizes,
    index: int,
    window: int | None,
    *,
    near: bool = False,
    tokens: int | None = None,
) -> Fit:
    omitted = request.left_out + index
    return Fit(sizes.numbers[index], omitted, near, window, tokens) if omitted else Fit(1, 0, near, None, tokens)


def _as_before(request: Request) -> Fit:
    known = request.known
    return Fit(known.first_turn, request.left_out, window=known.window)


def _too_long(tokens: int, window: int, *, alone: bool) -> ContextTooLong:
    if alone:
        return ContextTooLong(
            f"What always goes along (system prompt, notes, tools and what is said now) is {tokens} tokens; this model's context "
            f"is {window} tokens, answer included. Say less at once, or shorten the notes.",
            f"常に送信される部分（システムプロンプト、メモ、ツール、今回の入力）だけで{tokens}トークンあり、コンテキスト長"
            f"（回答を含めて{window}トークン）を超えています。入力かメモを短くしてください。",
            param="messages",
        )
    return ContextTooLong(
        f"With all its turns this conversation is {tokens} tokens; this model's context is {window} tokens, answer included. "
        "Without 'truncation': 'disabled' its oldest turns are left out.",
        f"すべてのターンを含めるとこの会話は{tokens}トークンになり、コンテキスト長（回答を含めて{window}トークン）を超えます。"
        "'truncation' の 'disabled' 指定を外すと、古いターンから順に省いて送信します。",
        param="truncation",
    )
