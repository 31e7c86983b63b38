"""`hayate status`: the way in from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hayate.tools.environment import Environment
from hayate.tools.status.options import StatusOptions

if TYPE_CHECKING:
    from hayate.tools.running import Place


def status_at(
    place_of: Callable[[Path | None, Environment], Place],
) -> Callable[[StatusOptions, Environment], int]:
    """`hayate status` of the gateway that `place_of` finds."""

    def status(options: StatusOptions, env: Environment) -> int:
        """Show the gateway, its deployments and their replicas; 0 ready, 1 degraded, 2 unreachable."""
        from hayate.tools.status.commands import run_status

        return run_status(options, env, place_of)

    return status
