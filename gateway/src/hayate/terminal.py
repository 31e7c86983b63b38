"""What a terminal can be shown: text that can't act on it, and times, in columns that stand under each other, in colours
where somebody sees them.

Width is counted in cells, as terminals do: a Japanese character takes two.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len, set_cell_size

COLUMNS = 80
"""What is taken for a terminal's width where it does not say."""
MAX_PLAIN_CHARS = 4000
Colour = Literal["", "bold", "dim", "red", "green", "yellow", "cyan"]
_CODES: Mapping[Colour, int] = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "cyan": 36}


@dataclass(frozen=True, slots=True)
class Paint:
    """Colours text, or leaves it as it is."""

    on: bool = False

    def __call__(self, text: str, colour: Colour) -> str:
        """`text` in a colour that ends with it."""
        return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if self.on and colour else text


def paint_for(is_terminal: bool, env: Mapping[str, str]) -> Paint:
    """Colours for a person who can see them and has not asked for none (https://no-color.org)."""
    return Paint(is_terminal and not env.get("NO_COLOR") and env.get("TERM") != "dumb")


def columns_of(fd: int | None) -> int:
    """How wide a terminal is just now; `COLUMNS` for one that does not say, and for what is none."""
    try:
        return (os.get_terminal_size(fd).columns if fd is not None else 0) or COLUMNS
    except (OSError, ValueError):
        return COLUMNS


def plain(text: str, most_chars: int = MAX_PLAIN_CHARS) -> str:
    """Somebody else's text, short and on one line: whatever a terminal would act on stands there escaped."""
    if len(text) > most_chars:
        text = text[:most_chars] + "…"
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def width(text: str) -> int:
    """In cells."""
    return cell_len(text)


def cut(text: str, cells: int) -> str:
    """At most so wide; what is missing is shown by `…`."""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, cells - 1).rstrip() + "…" if cells > 0 else ""


def left(text: str, cells: int) -> str:
    """Exactly so wide, its beginning at the left."""
    shown = cut(text, cells)
    return shown + " " * (cells - cell_len(shown))


def right(text: str, cells: int) -> str:
    """Exactly so wide, its end at the right."""
    shown = cut(text, cells)
    return " " * (cells - cell_len(shown)) + shown


def duration(seconds: float | None) -> str:
    """A time in at most seven cells, the same in both languages; `-` where there is none."""
    if seconds is None:
        return "-"
    if seconds < 100:
        return f"{max(0.0, seconds):.2f}s" if seconds < 10 else f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes < 100 else f"{minutes // 60}h{minutes % 60:02d}m"
