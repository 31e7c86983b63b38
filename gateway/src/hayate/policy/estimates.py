"""What a call will probably use, learned from what calls before it used: no tokenizer is asked. Pure.

Prompts: bytes for each token, by deployment, for a tokenizer makes more of the same text than another. Answers: tokens,
by key and model, for a game's are short and a batch's long.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

BYTES_PER_TOKEN: Final = 3.0
"""Of a request, until its deployment has told better: between English (4) and Japanese (2)."""
ANSWER_TOKENS: Final = 256.0
"""Until a key has had an answer of the model."""
WEIGHT: Final = 0.1
"""Of the latest call in what is remembered."""
MAX_ANSWERS: Final = 10_000
"""Pairs of key and model that are remembered, those used last."""


class Estimates:
    """One per gateway."""

    def __init__(self) -> None:
        self._bytes: dict[str, float] = {}
        self._answers: OrderedDict[tuple[str, str], float] = OrderedDict()

    def prompt_tokens(self, deployment: str, size: int) -> int:
        """Of a request of so many bytes."""
        return int(size / self._bytes.get(deployment, BYTES_PER_TOKEN)) + 1

    def answer_tokens(self, key: str, model: str) -> float:
        """Of the answers that a key gets of a model."""
        return self._answers.get((key, model), ANSWER_TOKENS)

    def learn_prompt(self, deployment: str, size: int, tokens: int) -> None:
        """The engine counted `tokens` in a request of so many bytes."""
        if tokens > 0 and size > 0:
            known = self._bytes.get(deployment)
            seen = size / tokens
            self._bytes[deployment] = seen if known is None else known + WEIGHT * (seen - known)

    def learn_answer(self, key: str, model: str, tokens: int) -> None:
        """A whole answer had so many tokens."""
        pair = key, model
        known = self._answers.pop(pair, None)
        self._answers[pair] = float(tokens) if known is None else known + WEIGHT * (tokens - known)
        if len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)
