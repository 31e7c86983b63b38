"""What a text is found by: words of letters and digits whole, and what is written without spaces in pairs of characters.

`GPU版の東京` becomes `gpu 版の の東 東京 京`: a pair begins at every character of a run, and the last stands alone, so that pairs
that follow one another are of one run. What is meant to be the same is the same: NFKC, then case folded (`ＧＰＵ` and `gpu`,
`ﾄｳｷｮｳ` and `トウキョウ`), without what is not seen (joiners, variants of a kanji). Punctuation separates and is not kept, but
`c++` and `c#` are words. Time and output are linear in the text.

What is deleted is taken out of the index with the grams that it was put in with: a change of what a text becomes is a
migration that makes the index anew.
"""

from __future__ import annotations

import base64
import hashlib
import re
from operator import add
from typing import Final
from unicodedata import normalize

MAX_TEXT_CHARS: Final = 50_000
"""Of one item: what it says beyond is not found."""
MAX_WORD_CHARS: Final = 64
"""Longer words (a key, an encoded file) are several."""

MARK_CHARS: Final = 6

LETTERS: Final = (
    "0-9a-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u0373\u0376-\u037d\u037f-\u0386\u0388-\u0559\u0560-\u0588"
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4-\u05f2\u0610-\u061a\u0620-\u0669\u066e-\u06d3\u06d5-\u06ff\u0710-\u08ff"
    "\u1e00-\u1fff"
)
"""Of scripts that put spaces between words, digits among them; as a regular expression's class."""
WITHOUT_SPACES: Final = (
    "\u0900-\u167f\u1681-\u1dff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\u2c00-\u2dff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035"
    "\u3038-\u303c\u3041-\u3096\u3099-\u309f\u30a1-\u30fa\u30fc-\u318f\u31a0-\u31bf\u31f0-\u4dbf\u4e00-\ud7ff\ue000-\ufdcf"
    "\ufe70-\ufefc\U00010000-\U0003ffff"
)
"""All others, and what stands for a word by itself: emoji."""
UNSEEN: Final = (
    "\u00ad\u034f\u061c\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20e3"
    "\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff"
)

_ODD: Final = re.compile(f"[\uff01-\uff5e\uff61-\uff9f{UNSEEN}]+")
_UNSEEN: Final = re.compile(f"[{UNSEEN}]")
_UNITS: Final = re.compile(f"[{WITHOUT_SPACES}]+|[{LETTERS}]{{1,{MAX_WORD_CHARS}}}(?:[+#]++(?![{LETTERS}]))?")


def normal(text: str) -> str:
    """The text in the form in which texts are compared: longer or shorter than it was."""
    if text.isascii():
        return text.lower()
    # What needs NFKC is mostly these few, and the rest passes at a look: that is ten times as fast as all of it at once.
    return normalize("NFKC", _ODD.sub(_plain, text)).casefold()


def _plain(odd: re.Match[str]) -> str:
    found = normalize("NFKC", odd[0])
    return _UNSEEN.sub("", found) if _UNSEEN.search(found) else found


def units(normal_text: str) -> list[str]:
    """Words, and runs of what is written without spaces."""
    return _UNITS.findall(normal_text)


def is_word(unit: str) -> bool:
    """Whether it is a word, and no run."""
    return unit < "\u0900" or "\u1e00" <= unit < "\u2000"


def pairs(run: str) -> list[str]:
    """The grams of a run: as many as it has characters."""
    return [*map(add, run, run[1:]), run[-1]]


def grams(text: str, mark: str = "") -> str:
    """What a text is put into the index as: with a space between, each with `mark` before it."""
    pieces: list[str] = []
    for unit in units(normal(text[:MAX_TEXT_CHARS])[:MAX_TEXT_CHARS]):
        if unit < "\u0900" or "\u1e00" <= unit < "\u2000":  # is_word, of which there is no time for a call
            pieces.append(unit)
        else:
            pieces += map(add, unit, unit[1:] + " ")
    return mark + f" {mark}".join(pieces) if pieces else ""


def mark_of(project: str) -> str:
    """What stands before each word of a project in the index: so each has words of its own there. Two projects may have the same
    mark, though hardly ever do.
    """
    digest = hashlib.blake2b(project.encode(errors="surrogatepass"), digest_size=5).digest()
    return base64.b32encode(digest).decode().lower()[:MARK_CHARS]
