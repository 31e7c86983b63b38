"""Somebody else's text, of several lines, as a terminal may show it: what a terminal would act on stands there escaped.

Pieces of one answer may be cut anywhere between characters. What is joined to others (a family of emoji, a Persian word) stays
so; a wide blank is a character like any other.
"""

from __future__ import annotations

import re

_ODD = re.compile(
    # Controls but for the tab and the end of a line; what turns the direction of text; ends of lines that terminals don't know;
    # halves of characters; what stands for nothing.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def shown(text: str) -> str:
    """The text, its odd characters as `\\x1b` or the like; a carriage return before the end of a line is left out."""
    return _ODD.sub(_escaped, text.replace("\r\n", "\n"))


def _escaped(found: re.Match[str]) -> str:
    if found[0] in "\u2028\u2029":
        return "\n"
    return "" if found[0] in "\r\u200b\u2060\ufeff" else found[0].encode("unicode_escape").decode("ascii")
