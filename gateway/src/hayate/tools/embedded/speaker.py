"""Who speaks to the person at the terminal while the engine and the gateway are made ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hayate.language import Language, Text
from hayate.telemetry.log_writer import write_error

Say = Callable[[str, str], None]
"""Takes one line, in English and in Japanese."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Speaks on standard error, in one language. It never waits for whoever reads there: the gateway serves meanwhile."""

    language: Language

    def __call__(self, english: str, japanese: str) -> None:
        """One line, as a `Say` takes it."""
        self.write(Text(english, japanese).of(self.language) + "\n")

    def write(self, text: str) -> None:
        """As it is: several lines, say, with their ends."""
        write_error(text)
