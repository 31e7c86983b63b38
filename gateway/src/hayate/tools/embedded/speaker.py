"""Who speaks to the person at the terminal while the engine and the gateway are made ready."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hayate.language import Language, Text
from hayate.telemetry.log_writer import write_error
from hayate.terminal import columns_of, width

STANDARD_ERROR = 2
NOT_FIRST = "。、，．）」』】ー：！？"
"""No line of Japanese begins with one of these."""
Say = Callable[[str, str], None]
"""Takes one line, in English and in Japanese."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Speaks on standard error, in one language. It never waits for whoever reads there: the gateway serves meanwhile."""

    language: Language

    def __call__(self, english: str, japanese: str) -> None:
        """One line, as a `Say` takes it."""
        line = Text(english, japanese).of(self.language)
        self.write(
            "".join(f"{each}\n" for each in (folded(line, columns_of(STANDARD_ERROR)) if is_terminal() else [line]))
        )

    def over_the_keys(self, english: str, japanese: str) -> None:
        """One line in the place of the `^C` that a terminal shows for the keys."""
        if is_terminal():
            self.write("\r")
        self(english, japanese)

    def write(self, text: str) -> None:
        """As it is: several lines, say, with their ends."""
        write_error(text)


def is_terminal() -> bool:
    """Whether a person looks on."""
    return os.isatty(STANDARD_ERROR)


def folded(text: str, most: int) -> Iterator[str]:
    """Lines of at most so many columns, broken at blanks, and between Japanese characters anywhere; an address stays whole."""
    line = ""
    for piece in _pieces(text):
        if line.strip() and width(line + piece.rstrip()) > most:
            yield line.rstrip()
            line = "  " + piece.lstrip()
        else:
            line += piece
    yield line.rstrip()


def _pieces(text: str) -> Iterator[str]:
    """What is not to be broken: a word with the blank behind it, a wide character with what may not begin a line."""
    piece = ""
    for each in text:
        if piece and (piece[-1] == " " or ((width(each) == 2 or width(piece[-1]) == 2) and each not in NOT_FIRST)):
            yield piece
            piece = ""
        piece += each
    yield piece
