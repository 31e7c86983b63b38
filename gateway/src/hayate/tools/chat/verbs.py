"""`hayate chat`: the way in from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hayate.tools.chat.options import ChatOptions
from hayate.tools.environment import Environment

if TYPE_CHECKING:
    from hayate.tools.running import Place


def chat_at(place_of: Callable[[Path | None, Environment], Place]) -> Callable[[ChatOptions, Environment], int]:
    """`hayate chat` through the gateway that `place_of` finds where no address is typed."""

    def chat(options: ChatOptions, env: Environment) -> int:
        """Talk with a model in this terminal, or have one answer in a pipe."""
        from hayate.tools.chat.commands import run_chat

        return run_chat(options, env, place_of)

    return chat
