"""What a call used: tokens as the engine counted them, or as we saw them pass when it never said.

An engine may write anything: what is no count (negative, no whole number, beyond what any model makes) is as if unsaid,
so that no counter ever goes down or out of bounds. The order in which deltas and reports come makes no difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

MAX_TOKENS: Final = 1_000_000_000
"""More than one call can use: a count beyond it is none."""

_SAY_CACHED: Final = frozenset({"prompt_tokens_details", "input_tokens_details", "cache_read_input_tokens"})


@dataclass(slots=True)
class Usage:
    """Token counts of one call. `exact` is true once they are the engine's own."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    exact: bool = False
    told: bool = field(default=False, compare=False)
    """The engine has said how many tokens it made."""

    def take(self, reported: Any) -> None:
        """Reads an OpenAI, Responses or Anthropic `usage` object; anything else is ignored."""
        if not isinstance(reported, dict):
            return
        prompt, completion = reported.get("prompt_tokens"), reported.get("completion_tokens")
        if type(prompt) is type(completion) is int and 0 <= prompt <= MAX_TOKENS and 0 <= completion <= MAX_TOKENS:
            self.prompt_tokens, self.completion_tokens = prompt, completion
            self.exact = self.told = True
        else:
            self._take_counts(
                _either(prompt, reported.get("input_tokens")), _either(completion, reported.get("output_tokens"))
            )
        if not _SAY_CACHED.isdisjoint(reported):
            details = reported.get("prompt_tokens_details") or reported.get("input_tokens_details")
            said = (
                details.get("cached_tokens") if isinstance(details, dict) else reported.get("cache_read_input_tokens")
            )
            cached = count(said)
            if cached is not None:
                self.cached_tokens = cached

    def _take_counts(self, prompt: int | None, completion: int | None) -> None:
        if prompt is not None:
            self.prompt_tokens = prompt
            self.exact = True
        if completion is not None:
            self.completion_tokens = completion
            self.exact = self.told = True

    def seen(self, deltas: int) -> None:
        """Counts deltas that passed, for a call that ends before the engine reports."""
        if not self.told:
            self.completion_tokens += deltas


def _either(value: Any, other: Any) -> int | None:
    counted = count(value)
    return count(other) if counted is None else counted


def count(value: Any) -> int | None:
    """A count of tokens as engines write it, 7 or 7.0; None for what is none."""
    if type(value) is int:
        return value if 0 <= value <= MAX_TOKENS else None
    return int(value) if type(value) is float and 0 <= value <= MAX_TOKENS and value.is_integer() else None
