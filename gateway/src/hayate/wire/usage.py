"""What a call used: tokens as the engine counted them, or as we saw them pass when it never said.

An engine may write anything: what is no count (negative, no whole number, beyond what any model makes) is as if unsaid,
so that no counter ever goes down or out of bounds. The order in which deltas and reports come makes no difference.

Reports are running totals, so the last one of an answer that came to its end is exact. Of an answer that was cut off
more may have come than was reported: then the deltas count, one token each, where they are more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

MAX_TOKENS: Final = 1_000_000_000
"""More than one call can use: a count beyond it is none."""

BYTES_OF_TOKEN: Final = 3
"""Of an answer's text, about, where nobody has counted: between English and Japanese."""

_BESIDE: Final = ("cache_read_input_tokens", "cache_creation_input_tokens")
"""Parts of the prompt that Anthropic's dialect counts beside `input_tokens`, not among them."""


@dataclass(slots=True)
class Usage:
    """Token counts of one call. `exact` is true once they are the engine's own."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    exact: bool = False
    told_prompt: bool = field(default=False, init=False, compare=False)
    """The engine has said how many tokens it read."""
    told: bool = field(default=False, init=False, compare=False)
    """The engine has said how many tokens it made."""
    _deltas: int = field(default=0, init=False, compare=False)
    """All that passed, from when it told on; until then that is `completion_tokens`."""
    _expected: tuple[int, int] | None = field(default=None, init=False, compare=False)
    """The prompt's tokens and how many of them are cached, before the engine has read it."""

    def take(self, reported: Any, *, begins: bool = False) -> None:
        """Reads an OpenAI, Responses or Anthropic `usage` object; anything else is ignored. `begins`: the answer only
        begins, so that what it says of the answer's tokens is no count of them.
        """
        if not isinstance(reported, dict):
            return
        prompt, completion = reported.get("prompt_tokens"), reported.get("completion_tokens")
        if not (
            type(prompt) is type(completion) is int and prompt >= 0 <= completion and prompt + completion <= MAX_TOKENS
        ):
            prompt = _either(prompt, _whole_input(reported))
            completion = None if begins else _either(completion, reported.get("output_tokens"))
        if prompt is not None:
            self.prompt_tokens = prompt
            self.told_prompt = True
        if completion is not None:
            if not self.told:
                self._deltas = self.completion_tokens
                self.told = True
            self.completion_tokens = completion
        self.exact = self.told and self.told_prompt
        if "prompt_tokens_details" in reported or "input_tokens_details" in reported:
            details = reported.get("prompt_tokens_details") or reported.get("input_tokens_details")
            cached = count(details.get("cached_tokens")) if isinstance(details, dict) else None
        elif "cache_read_input_tokens" in reported:
            cached = count(reported["cache_read_input_tokens"])
        else:
            return
        if cached is not None:
            self.cached_tokens = cached

    def expect(self, prompt: Any, cached: Any) -> None:
        """The engine has said how long the prompt is that it begins to read: it has used that once it answers."""
        whole = count(prompt)
        if whole is not None:
            self._expected = whole, count(cached) or 0

    def seen(self, deltas: int) -> None:
        """Counts deltas that passed, for a call that ends before the engine reports."""
        if not self.told:
            self.completion_tokens += deltas
        else:
            self._deltas += deltas

    def made(self, passed: int) -> int:
        """How many tokens of the answer have come, where `passed` deltas are still to be told to `seen`: what the engine has told
        has them in it.
        """
        if not self.told:
            return self.completion_tokens + passed
        return max(self.completion_tokens, self._deltas + passed)

    def said(self, text: Any) -> None:
        """Estimates what came whole, where the engine has not told."""
        if isinstance(text, str) and text:
            self.seen(len(text.encode("utf-8", "surrogatepass")) // BYTES_OF_TOKEN + 1)

    @property
    def begun(self) -> bool:
        """Whether anything was made, which an engine does once it has read the prompt."""
        return self.told or self.completion_tokens > 0

    def settle(self, *, whole: bool) -> None:
        """The call is over; `whole`: its answer came to its end, so that what the engine last said of it holds."""
        if not self.told_prompt and self.begun and self._expected is not None:
            self.prompt_tokens, self.cached_tokens = self._expected
            self.told_prompt = True
        if whole:
            self.exact = self.told_prompt and (self.told or not self.completion_tokens)
        else:
            self.exact = False
            self.completion_tokens = max(self.completion_tokens, self._deltas)
        if self.cached_tokens:
            self.cached_tokens = min(self.cached_tokens, self.prompt_tokens)


def _whole_input(reported: dict[str, Any]) -> int | None:
    tokens = count(reported.get("input_tokens"))
    if tokens is None:
        return None
    return min(MAX_TOKENS, tokens + sum(count(reported.get(name)) or 0 for name in _BESIDE))


def _either(value: Any, other: Any) -> int | None:
    counted = count(value)
    return count(other) if counted is None else counted


def count(value: Any) -> int | None:
    """A count of tokens as engines write it, 7 or 7.0; None for what is none."""
    if type(value) is int:
        return value if 0 <= value <= MAX_TOKENS else None
    return int(value) if type(value) is float and 0 <= value <= MAX_TOKENS and value.is_integer() else None
