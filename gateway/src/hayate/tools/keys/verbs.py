"""`hayate key …`: the way in from the command line. Each imports what it needs when it runs."""

from __future__ import annotations

from hayate.tools.environment import Environment
from hayate.tools.keys.options import CreateOptions, ListOptions, OneOptions, RotateOptions, UpdateOptions


def create(options: CreateOptions, env: Environment) -> int:
    """Make a key for a project, and show it once."""
    from hayate.tools.keys.commands import create as run

    return run(options, env)


def listed(options: ListOptions, env: Environment) -> int:
    """List the keys, the oldest first."""
    from hayate.tools.keys.commands import listed as run

    return run(options, env)


def show(options: OneOptions, env: Environment) -> int:
    """Show one key: what it may do, and how much."""
    from hayate.tools.keys.commands import show as run

    return run(options, env)


def update(options: UpdateOptions, env: Environment) -> int:
    """Change what a key may do."""
    from hayate.tools.keys.commands import update as run

    return run(options, env)


def revoke(options: OneOptions, env: Environment) -> int:
    """End a key, and the calls that run with it."""
    from hayate.tools.keys.commands import revoke as run

    return run(options, env)


def rotate(options: RotateOptions, env: Environment) -> int:
    """Replace a key by a new one; the old one stays good for a while."""
    from hayate.tools.keys.commands import rotate as run

    return run(options, env)
