"""Where the gateway of a configuration is: for commands that talk to it, or use its keys."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hayate.config.load import load_config
from hayate.tools.running import Configured, Place, find_place

ENGINE_OF_UP = {"backend": "llamacpp", "replicas": ["http://127.0.0.1"]}
"""The file need not name an engine: it may be meant for `hayate up`, whose engine its aliases may name all the same."""


def place_of(path: Path | None, env: Mapping[str, str]) -> Place:
    """The gateway that this configuration means. Raises ConfigError, as for any other use of it."""
    config = load_config(path, env, embedded=ENGINE_OF_UP)
    return find_place(Configured(config.server.host, config.server.port, config.data), env)
