"""`hayate up`: the way in from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import typer

from hayate.language import Text
from hayate.tools.embedded.options import UpOptions
from hayate.tools.environment import Environment

LEFT_ALONE = ("LLM_BACKEND", "BACKEND_URL", "MODEL")
"""What a `.env` for compose says of compose's engine: `up` brings its own."""


def up(options: UpOptions, env: Environment) -> int:
    """Start the gateway with an embedded engine: llama.cpp's own server, in a process beside it."""
    from hayate.serve.server import quiet_libraries
    from hayate.tools.embedded.up import run_up
    from hayate.tools.planner.compose_override import env_of_one

    # The file that a plan wrote names compose's engines, too.
    planned = env.leaving(tuple(env_of_one({name: value for name, (value, _) in env.file.items()})))
    env = replace(planned, left=(*env.left, *planned.left))
    if env.left:
        typer.echo(_left(env.left).of(env.language), err=True)
    quiet_libraries()
    return run_up(options, env.typing(HAYATE_HOST=options.host, HAYATE_PORT=options.port))


def _left(names: Sequence[str]) -> Text:
    return Text(
        f"{', '.join(names)} in .env: left to compose, since this brings its own engine; --model chooses another model.",
        f".envの{'、'.join(names)}はcompose用とみなし、使いません（内蔵エンジンで起動します。モデルは--modelで選べます）。",
    )
