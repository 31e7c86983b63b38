"""The piece of a text around what was found in it, in the text's own spelling. What was compared is its normal form, longer here
and shorter there (`grams.normal`): where a hit stands in the text is worked out block by block, and character by character only in
the blocks that it is in.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import accumulate, chain, pairwise
from typing import Final
from unicodedata import category

from hayate.store.grams import normal

BEFORE_CHARS: Final = 30
PIECE_CHARS: Final = 120
"""Of a piece: before its first hit, and in all."""
CUT: Final = "…"
BLOCK_CHARS: Final = 256

_EVEN: Final = re.compile(
    "[\x00-\x7f\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u3000-\u3029\u3030-\u3096\u309b-\u312f\u3190-\u9fff\uff01-\uff9d\U0001f300-\U0001faff]*"
)
"""Characters that each become something, whatever stands around them."""
_JOINS: Final = re.compile("[\u1160-\u11ff\u3131-\u318e\ud7b0-\ud7ff\uff9e-\uffdc]")
"""Those beside marks and what is not seen that may become one with what stands before them."""
_SPACE: Final = re.compile(r"\s")

Span = tuple[int, int]


def piece(text: str, found: Sequence[Sequence[Span]]) -> tuple[str, ...]:
    """A piece of the text with as many of the words in it as stand together somewhere; every second part is a hit. `found`: for
    each word, the most telling first, where it stands in the normal form of the text.
    """
    if not found or not found[0]:
        return _cut(text, 0, ())
    start = _densest(found)
    near = (span for span in chain.from_iterable(found) if abs(span[0] - start) < PIECE_CHARS)
    hits = _origins(text, _apart(near))
    return _cut(text, _origins(text, [(start, start + 1)])[0][0], hits)


def _densest(found: Sequence[Sequence[Span]]) -> int:
    """Where the first word stands that has the most others behind it."""

    def others(start: int) -> int:
        end = start + PIECE_CHARS - BEFORE_CHARS
        return sum(any(start <= each < end for each, _ in spans) for spans in found)

    return max((start for start, _ in found[0]), key=others)


def _apart(spans: Iterable[Span]) -> list[Span]:
    """In order, those made one that overlap or touch."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _cut(text: str, focus: int, hits: Sequence[Span]) -> tuple[str, ...]:
    """A piece with what stands at `focus` in it, not far from its beginning, and all of `hits` that are in it."""
    begin = max(0, min(focus - BEFORE_CHARS, len(text) - PIECE_CHARS))
    while begin < focus and not _is_start(text[begin]):
        begin += 1
    end = min(len(text), begin + PIECE_CHARS)
    while focus + 1 < end < len(text) and not _is_start(text[end]):
        end -= 1
    shown = [(max(begin, start), min(end, stop)) for start, stop in hits if begin < stop and start < end]
    edges = [begin, *chain.from_iterable(shown), end]
    parts = [_SPACE.sub(" ", text[start:stop]) for start, stop in pairwise(edges)]
    parts[0] = CUT * (begin > 0) + parts[0]
    parts[-1] += CUT * (end < len(text))
    return tuple(parts)


def _origins(text: str, hits: Sequence[Span]) -> list[Span]:
    """Where in the text they come from."""
    blocks = _blocks(text)
    block = next(blocks)
    origins: list[Span] = []
    for start, end in hits:
        while block.at + block.length <= start:
            block = next(blocks)
        begin = block.origin(start)[0]
        while block.at + block.length < end:
            block = next(blocks)
        origins.append((begin, block.origin(end - 1)[1]))
    return origins


def _blocks(text: str) -> Iterator[_Block]:
    """The text in pieces that become what they become by themselves."""
    at = start = 0
    while start < len(text):
        stop = min(len(text), start + BLOCK_CHARS)
        while stop < len(text) and not _is_start(text[stop]):
            stop += 1
        block = _Block(text[start:stop], start, at)
        yield block
        at, start = at + block.length, stop


class _Block:
    """A part of the text, which begins at `start`, and its normal form at `at`."""

    def __init__(self, text: str, start: int, at: int) -> None:
        self._text = text
        self._start = start
        self.at = at
        self.length = len(normal(text))

    def origin(self, at: int) -> Span:
        """Of one character of the normal form."""
        edges, ends = self._clusters
        index = bisect_right(ends, at - self.at)
        return self._start + edges[index], self._start + edges[index + 1]

    @cached_property
    def _clusters(self) -> tuple[Sequence[int], Sequence[int]]:
        """Where what becomes something by itself begins, and where it ends in the normal form."""
        text = self._text
        if self.length == len(text) and _EVEN.fullmatch(text):
            return range(len(text) + 1), range(1, len(text) + 1)
        edges = [0, *(index for index in range(1, len(text)) if _is_start(text[index])), len(text)]
        return edges, [*accumulate(len(normal(text[start:stop])) for start, stop in pairwise(edges))]


def _is_start(character: str) -> bool:
    """Whether what stands before it is nothing to it."""
    kind = category(character)
    return kind[0] != "M" and kind != "Cf" and not _JOINS.match(character)
