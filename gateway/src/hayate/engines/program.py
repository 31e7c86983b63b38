"""What is started for an engine: an argument list, never a line for a shell, and an environment without the gateway's secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hayate.engines.placeholders import MODEL, PORT, filled
from hayate.engines.ready import Fields
from hayate.settings import Run

SECRETS: Final = re.compile(r"HAYATE_.*|BACKEND_API_KEY")
"""Variables that an engine is not given."""


@dataclass(frozen=True, slots=True)
class Program:
    """One start of an engine."""

    command: tuple[str, ...]
    env: Mapping[str, str]
    ready: str = Run.ready
    credentials: Fields = ()
    """With which it is asked whether it is ready: some want a key even there."""
    stop: str = Run.stop
    stop_s: float = Run.stop_s
    silent_s: float | None = None
    """How long it may leave `ready` without an answer, once it is loaded, until it is taken for hung; None: for ever."""
    stdin: str | None = None
    """What it reads there first; its standard input then stays open for as long as its keeper lives. None: nothing is there."""


def run_program(run: Run, port: int, model: str | None, env: Mapping[str, str]) -> Program:
    """What `run` says, for this port; `env` is the gateway's own environment."""
    values = {PORT: str(port), MODEL: model or ""}
    own = {name: filled(text, values) for name, text in run.env.items()}
    return Program(
        command=tuple(filled(part, values) for part in run.command),
        env={**without_secrets(env), **own},
        ready=run.ready,
        stop=run.stop,
        stop_s=run.stop_s,
    )


def without_secrets(env: Mapping[str, str]) -> dict[str, str]:
    """The environment without what only the gateway should know."""
    return {name: value for name, value in env.items() if not SECRETS.fullmatch(name)}
