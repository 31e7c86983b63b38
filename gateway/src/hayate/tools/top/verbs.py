"""`hayate top`: the way in from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hayate.tools.environment import Environment
from hayate.tools.top.options import TopOptions

if TYPE_CHECKING:
    from hayate.tools.running import Place


def top_at(place_of: Callable[[Path | None, Environment], Place]) -> Callable[[TopOptions, Environment], int]:
    """`hayate top` of the gateway that `place_of` finds."""

    def top(options: TopOptions, env: Environment) -> int:
        """Show live who has the places at the engines and who waits."""
        from hayate.tools.top.commands import run_top

        return run_top(options, env, place_of)

    return top
