"""For engines that take a prompt and no messages: what renders the prompt, and how much room it leaves for the answer."""

from __future__ import annotations

from typing import Any, Protocol

from hayate.errors import ContextTooLong


class PromptMaker(Protocol):
    """The model's tokenizer files at work; `hayate.backends.tokenizer` is the one that exists."""

    begins_with: str
    """The text of the token that the tokenizer puts before every prompt by itself; empty when there is none."""

    def render(self, messages: list[dict[str, Any]], **variables: Any) -> str:
        """The chat template's prompt. Raises InvalidRequest when the template refuses the messages."""

    def count(self, text: str) -> int:
        """How many tokens `text` is."""


def answer_limit(asked: int | None, used: int, context_tokens: int) -> int:
    """How long the answer may be after a prompt of `used` tokens: what was asked for, as far as the context holds it.

    Raises ContextTooLong when nothing is left.
    """
    room = context_tokens - used
    if room < 1:
        raise ContextTooLong(
            f"The prompt is {used} tokens; this model's context is {context_tokens} tokens, answer included.",
            f"プロンプトが{used}トークンあり、コンテキスト長（回答を含めて{context_tokens}トークン）を超えています。",
            param="messages",
        )
    return min(asked or room, room)
