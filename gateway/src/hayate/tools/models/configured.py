"""What a configuration says of models: which deployment has which, and where its engine is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hayate.config.environment import file_named, looked_through
from hayate.config.load import load_config, whole_config

OLLAMA = "ollama"


@dataclass(frozen=True, slots=True)
class Configured:
    """One deployment, as far as its model goes. `command` is how its engine is run here, if it is."""

    name: str
    backend: str
    model: str | None
    replicas: tuple[str, ...]
    key: str | None
    command: tuple[str, ...] = ()


def deployments(path: Path | None, env: Mapping[str, str]) -> dict[str, Configured]:
    """By their names. Raises ConfigError."""
    config = whole_config(path, env) if path or file_named(looked_through(env)[0]) else load_config(None, env)
    return {
        name: Configured(
            name=name,
            backend=each.backend,
            model=each.model,
            replicas=each.replicas,
            key=each.api_key.get_secret_value() if each.api_key is not None else None,
            command=() if each.run is None or isinstance(each.run, str) else each.run.command,
        )
        for name, each in config.deployments.items()
    }


def ollamas(found: Mapping[str, Configured], tag: str) -> dict[str, str | None]:
    """The Ollamas that are configured, each with its key: those that serve `tag`, else all."""
    of_ollama = [each for each in found.values() if each.backend == OLLAMA]
    serving = [each for each in of_ollama if each.model == tag] or of_ollama
    return {origin: each.key for each in serving for origin in each.replicas}
