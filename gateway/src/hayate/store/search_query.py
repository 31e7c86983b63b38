"""What is asked of the search: words with spaces between, all of which an item has to hold.

A word is found where its letters stand in the text, whatever punctuation or spaces there are where the script changes (`GPU版` is
in `GPU 版`): a word of letters and digits whole, and the last of a query also as the beginning of a longer one; what is written
without spaces anywhere. Nothing in a query means anything else: quotes and stars are punctuation, `OR` is a word.

The index is asked for candidates (`Query.match`), and each is looked at (`Query.score`): what counts is what stands in the text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from typing import Final

from hayate.store.grams import LETTERS, WITHOUT_SPACES, is_word, normal, pairs, units

MAX_QUERY_CHARS: Final = 200
"""What is over is not looked for: callers are to be told before."""
MAX_WORDS: Final = 16
"""Of a query; more are not looked for."""
MIN_BEGINNING: Final = 3
"""Letters of the beginning of a word by which it is found."""
MAX_HITS: Final = 50
"""Of one word in one item that count."""
MAX_SHOWN: Final = 10
"""Of them that a piece is looked for around."""
K1: Final = 1.2
B: Final = 0.75
USUAL_CHARS: Final = 200
"""BM25's constants, with the usual length of an item instead of the mean one: a score depends on nothing but the item."""

_UNITS: Final = re.compile(f"[{WITHOUT_SPACES}]+|[{LETTERS}]+(?:[+#]++(?![{LETTERS}]))?")
_BETWEEN: Final = f"[^{LETTERS}{WITHOUT_SPACES}]"
_BEGINS: Final = f"(?<![{LETTERS}])"
_ENDS: Final = f"(?![{LETTERS}]|[+#]++(?![{LETTERS}]))"
_EVERYWHERE: Final = re.compile("[\u3041-\u309f\u30fc]")
"""What stands in nearly every Japanese text: where there is something else to look up, this is not."""


class Query:
    """A query with something to look for in it."""

    def __init__(self, words: Sequence[Word]) -> None:
        self._words = words

    def matches(self, mark: str) -> list[str]:
        """What FTS5 is asked for, one after the other until enough is found: first with the last word whole, for there may be
        very many that begin like it. Everything that the query is in is among what they give. Empty when there are only single
        characters: many of them stand nearly everywhere.
        """
        if all(word.is_single for word in self._words):
            return []
        asked = [self._match(mark, may_go_on=False)]
        if self._words[-1].may_go_on:
            asked.append(self._match(mark))
        return asked

    def match_single(self, mark: str) -> str:
        """The same for single characters, at the price of reading all that the index has of them."""
        return self._match(mark, whole=True)

    def _match(self, mark: str, *, may_go_on: bool = True, whole: bool = False) -> str:
        phrases = [word.phrase(mark, may_go_on=may_go_on, whole=whole) for word in self._words]
        return " AND ".join(phrase for phrase in phrases if phrase)

    def score(self, normal_text: str) -> float | None:
        """How good this is as an answer; None when it is none. In steps, so that of those alike the newest comes first."""
        total = 0.0
        length = K1 * (1 - B + B * len(normal_text) / USUAL_CHARS)
        for word in self._words:
            count = word.count(normal_text)
            if not count:
                return None
            total += word.weight * count * (K1 + 1) / (count + length)
        return round(total, 1)

    def spans(self, normal_text: str) -> list[list[tuple[int, int]]]:
        """Where the words stand, the most telling first; of each, the first few places."""
        words = sorted(self._words, key=lambda word: -word.weight)
        return [[hit.span() for hit in islice(word.pattern.finditer(normal_text), MAX_SHOWN)] for word in words]


class Word:
    """One of a query's, in the forms in which it is looked for."""

    def __init__(self, found: list[str], *, last: bool) -> None:
        self._units = found
        end = found[-1]
        self.may_go_on = last and is_word(end) and len(end) >= MIN_BEGINNING and not end.isdigit()
        """Whether it may be the beginning of a longer word."""
        self._ends_single = not is_word(end) and len(end) == 1
        self._ends_everywhere = self._ends_single and _EVERYWHERE.match(end) is not None
        self.is_single = self._ends_single and len(found) == 1
        self._anywhere = found[0] if len(found) == 1 and not is_word(end) else None
        self.pattern = re.compile(_pattern(found, may_go_on=self.may_go_on))
        self.weight = sum(map(len, found)) ** 0.5
        """Longer words are rarer."""

    def count(self, normal_text: str) -> int:
        """How often it stands there; from MAX_HITS on that many."""
        if self._anywhere is not None:
            return min(normal_text.count(self._anywhere), MAX_HITS)
        return min(len(self.pattern.findall(normal_text)), MAX_HITS)

    def phrase(self, mark: str, *, may_go_on: bool, whole: bool) -> str:
        """As FTS5 wants it; without a last character that stands everywhere, unless `whole`: nothing may be left then."""
        *before, end = self._units
        tokens = [token for unit in before for token in _tokens(unit)]
        is_open = False
        if whole or not self._ends_everywhere:
            is_open = self._ends_single or (may_go_on and self.may_go_on)
            tokens += _tokens(end) if is_word(end) or self._ends_single else pairs(end)[:-1]
        if not tokens:
            return ""
        return f'"{mark}{f" {mark}".join(tokens)}"{"*" if is_open else ""}'


def parse(query: str) -> Query | None:
    """None when there is nothing to look for in it. Never raises."""
    found = [_UNITS.findall(word) for word in normal(query[:MAX_QUERY_CHARS]).split()]
    words = [word for index, word in enumerate(found) if word and word not in found[:index]][:MAX_WORDS]
    return Query([Word(word, last=word == found[-1]) for word in words]) if words else None


def _tokens(unit: str) -> list[str]:
    return units(unit) if is_word(unit) else pairs(unit)


def _pattern(found: Sequence[str], *, may_go_on: bool) -> str:
    """A regular expression that is linear in the text: nothing in it can be matched in two ways."""
    parts: list[str] = []
    for index, unit in enumerate(found):
        before = found[index - 1] if index else ""
        if before:
            parts.append(f"{_BETWEEN}{'*+' if is_word(before) or is_word(unit) else '++'}")
        if is_word(unit):
            ends = "" if may_go_on and index == len(found) - 1 else _ENDS
            parts.append(f"{_BEGINS}{re.escape(unit)}{ends}")
        else:
            parts.append(re.escape(unit))
    return "".join(parts)
