"""What a call used: tokens as the engine counted them, or as we saw them pass when it never said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Usage:
    """Token counts of one call. `exact` is true once they are the engine's own."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    exact: bool = False

    def take(self, reported: Any) -> None:
        """Reads an OpenAI, Responses or Anthropic `usage` object; anything else is ignored."""
        if not isinstance(reported, dict):
            return
        prompt = _count(reported, "prompt_tokens", "input_tokens")
        completion = _count(reported, "completion_tokens", "output_tokens")
        details = reported.get("prompt_tokens_details") or reported.get("input_tokens_details")
        cached = details.get("cached_tokens") if isinstance(details, dict) else reported.get("cache_read_input_tokens")
        if prompt is not None:
            self.prompt_tokens = prompt
        if completion is not None:
            self.completion_tokens = completion
        if isinstance(cached, int):
            self.cached_tokens = cached
        self.exact = self.exact or prompt is not None or completion is not None

    def seen(self, deltas: int) -> None:
        """Counts deltas that passed, for a call that ends before the engine reports."""
        if not self.exact:
            self.completion_tokens += deltas


def _count(reported: dict[str, Any], *names: str) -> int | None:
    for name in names:
        value = reported.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None
