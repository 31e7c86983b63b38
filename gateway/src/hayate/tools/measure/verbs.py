"""`hayate bench`: the way in from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hayate.language import terminal_language
from hayate.tools.environment import Environment
from hayate.tools.measure.options import BenchOptions

if TYPE_CHECKING:
    from hayate.tools.running import Place


def bench_at(place_of: Callable[[Path | None, Environment], Place]) -> Callable[[BenchOptions, Environment], int]:
    """`hayate bench`, for the gateway that `place_of` finds where no address is typed."""

    def bench(options: BenchOptions, env: Environment) -> int:
        """Measure how fast models answer."""
        from hayate.tools.measure.commands import run_bench

        language = terminal_language({"LANG": options.lang}) if options.lang else env.language
        return run_bench(options, language, env, lambda: place_of(options.config, env))

    return bench
