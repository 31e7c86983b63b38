"""What a text is found by: Latin words and numbers whole, everything that is written without spaces in pairs of characters.

`東京都` becomes `東京 京都 都`: a pair begins at every character, and the last stands alone, so that pairs of one word
alone follow one another. What is meant to be the same is (NFKC, then case folded): `ＧＰＵ` and `gpu`, `ﾄｳｷｮｳ` and `トウキョウ`.
Time and output are linear in the text.

An index is only as good as these: a row is taken out of it with the grams that it was put in with. A change of what a text
becomes is a migration that makes the index anew.
"""

from __future__ import annotations

from typing import Final

MAX_QUERY_CHARS: Final = 200
"""Of a query: what is over is not looked for. Callers are told before."""


def grams(text: str, mark: str = "") -> str:
    """What a text is put into the index as: words with a space between, each with `mark` before it."""
    raise NotImplementedError


def match_of(query: str, mark: str = "") -> str:
    """What FTS5 is asked for (`MATCH`): all words of the query. Empty if there is nothing to look for. Never raises, and
    nothing in a query is FTS5's syntax.
    """
    raise NotImplementedError
