"""The two languages that a person is spoken to in, and a text in both.

Which one: at a terminal HAYATE_LANG, else the locale, as every program has it; over HTTP what Accept-Language puts
first. Who says nothing is spoken to in English.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "ja"]
VARIABLES = ("HAYATE_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
"""The first of them that is set decides: ours, then the locale's in POSIX's order."""


@dataclass(frozen=True, slots=True)
class Text:
    """Whole sentences in both languages; what can be computed of them (a number, a name) stands in both already."""

    en: str
    ja: str

    def of(self, language: Language) -> str:
        """What to show whoever reads `language`."""
        return self.ja if language == "ja" else self.en


class BilingualError(Exception):
    """An error that a person reads: `english` and `japanese` are whole sentences that say what to do, and nothing else
    of it is shown. What has no Japanese yet is told in English.
    """

    def __init__(self, english: str, japanese: str = "") -> None:
        super().__init__(english)
        self.texts = Text(english, japanese or english)

    @property
    def english(self) -> str:
        """For logs, which are in English, and for programs that look for a word in it."""
        return self.texts.en

    @property
    def japanese(self) -> str:
        """For a sentence that goes on from this one."""
        return self.texts.ja

    def text(self, language: Language = "en") -> str:
        """What to show whoever reads `language`; English where nobody has said."""
        return self.texts.of(language)


def terminal_language(env: Mapping[str, str]) -> Language:
    """What to speak at a terminal with this environment."""
    said = next((env[name] for name in VARIABLES if env.get(name)), "")
    return "ja" if said.lower().startswith("ja") else "en"


def accepted_language(value: str) -> Language:
    """The one that an Accept-Language field puts first, the earlier of two that it likes alike."""
    best: Language = "en"
    best_q = 0.0
    for part in value.split(","):
        tag, _, rest = part.strip().partition(";")
        try:
            q = float(rest.strip().removeprefix("q=") or 1)
        except ValueError:
            q = 0.0
        if q > best_q and tag[:2].lower() in ("en", "ja"):
            best, best_q = "ja" if tag[:2].lower() == "ja" else "en", q
    return best
