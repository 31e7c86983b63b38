"""What a call used: tokens as the engine counted them, or as we saw them pass when it never said.

An engine may write anything: what is no count (negative, no whole number, beyond what any model makes) is as if unsaid, so
that no counter ever goes down or out of bounds. The order in which deltas and reports come makes no difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

MAX_TOKENS: Final = 1_000_000_000
"""More than one call can use: a count beyond it is none."""


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
        prompt = _named(reported, "prompt_tokens", "input_tokens")
        completion = _named(reported, "completion_tokens", "output_tokens")
        details = reported.get("prompt_tokens_details") or reported.get("input_tokens_details")
        cached = count(
            details.get("cached_tokens") if isinstance(details, dict) else reported.get("cache_read_input_tokens")
        )
        if prompt is not None:
            self.prompt_tokens = prompt
        if completion is not None:
            self.completion_tokens = completion
            self.told = True
        if cached is not None:
            self.cached_tokens = cached
        self.exact = self.exact or prompt is not None or completion is not None

    def seen(self, deltas: int) -> None:
        """Counts deltas that passed, for a call that ends before the engine reports."""
        if not self.told:
            self.completion_tokens += deltas


def count(value: Any) -> int | None:
    """A count of tokens as engines write it, 7 or 7.0; None for what is none."""
    if isinstance(value, float) and value.is_integer() and value <= MAX_TOKENS:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS:
        return value
    return None


def _named(reported: dict[str, Any], *names: str) -> int | None:
    for name in names:
        value = count(reported.get(name))
        if value is not None:
            return value
    return None
