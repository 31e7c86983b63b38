"""`hayate pull` and `hayate rm`: the way in from the command line."""

from __future__ import annotations

from hayate.tools.environment import Environment
from hayate.tools.models.options import PullOptions, RmOptions


def pull(options: PullOptions, env: Environment) -> int:
    """Fetch a model into the models folder."""
    from hayate.tools.models.pull import run_pull

    return run_pull(options, env)


def rm(options: RmOptions, env: Environment) -> int:
    """Take a model out of the models folder."""
    from hayate.tools.models.rm import run_rm

    return run_rm(options, env)
