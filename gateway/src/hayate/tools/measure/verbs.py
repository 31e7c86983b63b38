"""`hayate bench`: the way in from the command line."""

from __future__ import annotations

import os

from hayate.language import terminal_language
from hayate.tools.measure.options import BenchOptions


def bench(options: BenchOptions) -> int:
    """Measure how fast models answer: first output, time per token, tokens/s, failures; before and after."""
    from hayate.tools.measure.commands import run_bench

    return run_bench(options, terminal_language({"LANG": options.lang} if options.lang else os.environ))
