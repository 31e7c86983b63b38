"""`hayate models` and `hayate plan`: the way in from the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from hayate.tools.environment import Environment
from hayate.tools.planner.options import ModelsOptions, PlanOptions


def models(options: ModelsOptions, env: Environment) -> int:
    """List the catalogue: sizes, KV cache per token, context, licence."""
    from hayate.tools.planner.commands import run_models

    return run_models(replace(options, catalogue=_catalogue(options.catalogue, env)), env.language)


def plan(options: PlanOptions, env: Environment) -> int:
    """Say what fits on a GPU, and the engine's flags for it."""
    from hayate.tools.planner.commands import run_plan

    return run_plan(replace(options, catalogue=_catalogue(options.catalogue, env)), env.language)


def _catalogue(typed: Path | None, env: Mapping[str, str]) -> Path | None:
    """The one that was typed, else that of the environment."""
    given = env.get("HAYATE_MODELS", "").strip()
    return typed or (Path(given) if given else None)
