"""Why `hayate up` can't start, each as one sentence in English and in Japanese. The sentence is all that a person sees.

CannotStart
├── AddressRefused     the port is taken, or the address can't be had
├── DataRefused        the data folder can't be written
├── ModelRefused       the model was named wrongly, is not there, or is not a GGUF
├── HubFailed          the Hub was asked and can't be reached, or says no
├── TooLittleMemory    it would not fit
└── EngineFailed       llama.cpp's server is not installed, or ended before it answered
"""

from __future__ import annotations

from collections.abc import Mapping

VARIABLES = ("HAYATE_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def language(env: Mapping[str, str]) -> str:
    """The language to speak, "en" or "ja": HAYATE_LANG, else the locale."""
    said = next((env[name] for name in VARIABLES if env.get(name)), "")
    return "ja" if said.lower().startswith("ja") else "en"


class CannotStart(Exception):
    """`english` and `japanese` are whole sentences that say what to do."""

    def __init__(self, english: str, japanese: str) -> None:
        super().__init__(english)
        self.english = english
        self.japanese = japanese

    def text(self, language: str) -> str:
        """The sentence in `language`, "en" or "ja"."""
        return self.japanese if language == "ja" else self.english


class AddressRefused(CannotStart):
    """The port is taken, or the address can't be had."""


class DataRefused(CannotStart):
    """The data folder can't be written."""


class ModelRefused(CannotStart):
    """The model was named wrongly, is not there, or is not a GGUF."""


class HubFailed(CannotStart):
    """The Hub was asked and can't be reached, or says no."""


class TooLittleMemory(CannotStart):
    """It would not fit."""


class EngineFailed(CannotStart):
    """llama.cpp's server is not installed, or ended before it answered."""
