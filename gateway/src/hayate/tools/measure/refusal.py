"""Why a benchmark can't start or be read: one sentence in English and in Japanese. The sentence is all that a person sees."""

from __future__ import annotations


class CannotMeasure(Exception):
    """`english` and `japanese` are whole sentences that say what to do."""

    def __init__(self, english: str, japanese: str) -> None:
        super().__init__(english)
        self.english = english
        self.japanese = japanese

    def text(self, language: str) -> str:
        """The sentence in `language`, "en" or "ja"."""
        return self.japanese if language == "ja" else self.english
