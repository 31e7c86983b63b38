"""`hayate ps`, `load`, `unload` and `logs`: the way in from the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hayate.tools.engines.options import LoadOptions, LogsOptions, PsOptions, UnloadOptions
from hayate.tools.environment import Environment

if TYPE_CHECKING:
    from hayate.tools.running import PlaceOf


def ps_at(place_of: PlaceOf) -> Callable[[PsOptions, Environment], int]:
    """`hayate ps` of the gateway that `place_of` finds."""

    def ps(options: PsOptions, env: Environment) -> int:
        """Show which models are loaded, where, and what they do."""
        from hayate.tools.engines.commands import run_ps

        return run_ps(options, env, place_of)

    return ps


def load_at(place_of: PlaceOf) -> Callable[[LoadOptions, Environment], int]:
    """`hayate load` of the gateway that it finds."""

    def load(options: LoadOptions, env: Environment) -> int:
        """Load a model, and wait until it is ready."""
        from hayate.tools.engines.changes import run_load

        return run_load(options, env, place_of)

    return load


def unload_at(place_of: PlaceOf) -> Callable[[UnloadOptions, Environment], int]:
    """`hayate unload` of the gateway that it finds."""

    def unload(options: UnloadOptions, env: Environment) -> int:
        """Unload a model once its calls have ended."""
        from hayate.tools.engines.changes import run_unload

        return run_unload(options, env, place_of)

    return unload


def logs_at(place_of: PlaceOf) -> Callable[[LogsOptions, Environment], int]:
    """`hayate logs` there, or from the file where no gateway runs."""

    def logs(options: LogsOptions, env: Environment) -> int:
        """Show what an engine has written that the gateway runs."""
        from hayate.tools.engines.logs import run_logs

        return run_logs(options, env, place_of)

    return logs
