"""The engine of a deployment that says how it is run (`run`): what is started, where its output goes, where it is called."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from hayate.engines.llamacpp import SLOTS, LlamaCpp
from hayate.engines.ports import HOST, Ports
from hayate.engines.process import ProcessEngine
from hayate.engines.program import Program, run_program
from hayate.engines.tail import log_file
from hayate.fleet.deployment import Deployment
from hayate.fleet.spec import DeploymentSpec
from hayate.settings import Run

Moved = Callable[[str, int, int], None]
"""Takes the name, the old port and the new one."""


def process_engine(
    deployment: Deployment, ports: Ports, data: Path, env: Mapping[str, str], moved: Moved | None = None
) -> ProcessEngine:
    """The engine of a deployment with a `run`. `env` is the gateway's own environment; `moved` is told when another program has
    taken its port.
    """
    spec = deployment.spec
    log = log_file(data, spec.name)
    with suppress(OSError):  # without it there is no log, and the engine runs all the same
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = ProcessEngine(spec.name, partial(program_of, spec, env), ports, log)

    def call_there(old: int, new: int) -> None:
        deployment.adopt(dataclasses.replace(deployment.spec, replicas=(f"http://{HOST}:{new}",)))
        if moved is not None:
            moved(spec.name, old, new)

    engine.moved = call_there
    return engine


def program_of(spec: DeploymentSpec, env: Mapping[str, str], port: int) -> Program:
    """What is started for a deployment that says how it is run."""
    if isinstance(spec.run, Run):
        return dataclasses.replace(run_program(spec.run, port, spec.model, env), credentials=spec.credentials)
    settings = LlamaCpp(
        model=spec.model or "",
        served_model=spec.name,
        port=port,
        key=spec.secrets[0].decode() if spec.secrets else "",
        context_tokens=spec.context_tokens,
        slots=spec.max_in_flight if isinstance(spec.max_in_flight, int) else SLOTS,
        is_wanted=True,
    )
    return settings.program(env)
