"""Which gateway a command beside it means, where it is and whose data folder holds its keys.

The configuration says where it should be. A running one of the same data folder is that one, wherever it listens (it may
have been told another port); where nothing is configured and no other is there, the only one that runs is meant.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hayate.serve.interfaces import WILDCARDS
from hayate.serve.whereabouts import RunningGateway, running_gateways, runtime_folder
from hayate.tools.environment import Environment


@dataclass(frozen=True, slots=True)
class Configured:
    """Where the configuration puts the gateway and its keys."""

    host: str
    port: int
    data: Path


@dataclass(frozen=True, slots=True)
class Place:
    """Where the gateway that is meant can be asked; `pid` is that of one known to run."""

    url: str
    data: Path
    pid: int | None = None


PlaceOf = Callable[[Path | None, Environment], Place]
"""Finds the gateway that a configuration means. Raises ConfigError."""


def reachable(url: str) -> str:
    """An address as this machine can open it: a wildcard is a place to listen, not to call."""
    parts = urlsplit(url)
    host = WILDCARDS.get(parts.hostname or "")
    return url if host is None else f"{parts.scheme}://{host}:{parts.port}"


def all_running(env: Mapping[str, str] = os.environ) -> list[RunningGateway]:
    """Every gateway of this user that runs now."""
    return running_gateways(runtime_folder(env))


def find_place(configured: Configured, env: Mapping[str, str] = os.environ) -> Place:
    """The gateway that is meant: the one that runs on the configured data folder, else the only one of this user, where
    none has kept a key in the configured folder, else the configured address.
    """
    running = all_running(env)
    same = [each for each in running if each.data == configured.data.resolve()]
    if not same and len(running) == 1 and not (configured.data / "api_key").exists():
        same = running
    if same:
        return Place(reachable(same[-1].url), same[-1].data, same[-1].pid)
    host = f"[{configured.host}]" if ":" in configured.host else configured.host
    return Place(reachable(f"http://{host}:{configured.port}"), configured.data)
