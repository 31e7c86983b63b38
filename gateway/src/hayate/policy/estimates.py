"""What a call will probably use, learned from what calls before it used: no tokenizer is asked. Pure.

Prompts: tokens for so many bytes, by deployment and path, for a tokenizer makes more of the same text than another, and
each dialect has its own words around it, which a template replaces. Answers: tokens, by key and model, for a game's are
short and a batch's long.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

BYTES_PER_TOKEN: Final = 3.0
"""Of a request, until its deployment has told better: between English (4) and Japanese (2)."""
ANSWER_TOKENS: Final = 256.0
"""Until a key has had an answer of the model."""
WEIGHT: Final = 0.1
"""Of the latest call in what is remembered."""
MOST_BYTES_PER_TOKEN: Final = 16.0
"""Of text. A request with more holds something else, a picture say, and tells nothing of text."""
FEW: Final = 1 / 16
"""As long as sizes have differed by less than their mean's quarter (this is its square), they tell little of what a byte
more would make.
"""
WARM: Final = 128
SELDOM: Final = 8
"""After so many prompts of a deployment, one of so many is learned from: the others would say the same."""
MAX_ANSWERS: Final = 10_000
"""Pairs of key and model that are remembered, those that came last."""


@dataclass(slots=True)
class _Line:
    """Tokens by bytes, as a line through what was seen: what a template adds is its start, what text makes its slope."""

    size: float
    tokens: float
    spread: float = 0.0
    together: float = 0.0
    slope: float = 0.0
    seen: int = 1

    def learn(self, size: int, tokens: int) -> None:
        more, more_tokens = size - self.size, tokens - self.tokens
        self.size += WEIGHT * more
        self.tokens += WEIGHT * more_tokens
        self.spread = (1 - WEIGHT) * (self.spread + WEIGHT * more * more)
        self.together = (1 - WEIGHT) * (self.together + WEIGHT * more * more_tokens)

        # Sizes that hardly differ tell no slope: so much of it is taken from the line through nothing for nothing.
        through_nothing, little = self.tokens / self.size, FEW * self.size * self.size
        self.slope = (self.together + little * through_nothing) / (self.spread + little)


@dataclass(slots=True)
class _Answer:
    tokens: float


class Estimates:
    """One per gateway."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], _Line] = {}
        self._answers: OrderedDict[tuple[str, str], _Answer] = OrderedDict()

    def prompt_tokens(self, deployment: str, path: str, size: int) -> int:
        """Of a request of so many bytes."""
        line = self._lines.get((deployment, path))
        tokens = size / BYTES_PER_TOKEN if line is None else line.tokens + line.slope * (size - line.size)
        return int(tokens) + 1 if tokens > 0 else 1

    def answer_tokens(self, key: str, model: str) -> float:
        """Of the answers that a key gets of a model."""
        known = self._answers.get((key, model))
        return ANSWER_TOKENS if known is None else known.tokens

    def learn_prompt(self, deployment: str, path: str, size: int, tokens: int) -> None:
        """The engine counted `tokens` in a request of so many bytes."""
        line = self._lines.get((deployment, path))
        if line is not None:
            line.seen += 1
            if line.seen > WARM and line.seen % SELDOM:
                return
        if 0 < size <= tokens * MOST_BYTES_PER_TOKEN:
            if line is None:
                self._lines[deployment, path] = _Line(size, tokens, slope=tokens / size)
            else:
                line.learn(size, tokens)

    def learn_answer(self, key: str, model: str, tokens: int) -> None:
        """A whole answer had so many tokens."""
        known = self._answers.get((key, model))
        if known is not None:
            known.tokens += WEIGHT * (tokens - known.tokens)
            return
        self._answers[key, model] = _Answer(tokens)
        if len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)
