"""`hayate models` and `hayate plan`: the way in from the command line."""

from __future__ import annotations

import os

from hayate.language import terminal_language
from hayate.tools.planner.options import ModelsOptions, PlanOptions


def models(options: ModelsOptions) -> int:
    """List the catalogue: sizes, KV cache per token, context, licence."""
    from hayate.tools.planner.commands import run_models

    return run_models(options, terminal_language(os.environ))


def plan(options: PlanOptions) -> int:
    """Say what fits on a GPU, and the engine's flags for it."""
    from hayate.tools.planner.commands import run_plan

    return run_plan(options, terminal_language(os.environ))
