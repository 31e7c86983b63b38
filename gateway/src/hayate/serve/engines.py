"""What loads and unloads the model of a deployment, by its configuration; and what the log says of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hayate.engines.base import Engine
from hayate.engines.ports import Ports
from hayate.fleet.deployment import Deployment
from hayate.fleet.engines import Event
from hayate.fleet.process_engine import process_engine
from hayate.fleet.remote_engine import remote_engine
from hayate.fleet.resident import Resident
from hayate.telemetry.engine_metrics import EngineMetrics
from hayate.telemetry.log import log_event


def make_engine(ports: Ports, data: Path, env: Mapping[str, str], deployment: Deployment) -> Engine | None:
    """The engine of a deployment whose model the gateway loads and unloads; None for one that it does not."""
    if deployment.spec.run is not None:
        return process_engine(deployment, ports, data, env, _tell_moved)
    return remote_engine(deployment) if deployment.spec.memory is not None else None


def _tell_moved(name: str, old: int, new: int) -> None:
    log_event("engine_moved", engine=name, old=old, port=new)


def tell(metrics: EngineMetrics, event: Event, resident: Resident) -> None:
    """Puts an event of an engine into the log, and counts it."""
    metrics.happened(event, resident)
    error, door = resident.error, resident.door
    failed = event == "engine_failed" and error is not None
    log_event(
        event,
        engine=resident.deployment.name,
        **({"reason": error.texts, "code": error.reason.value} if failed and error is not None else {}),
        **({"took_s": round(door.last_load_s, 1)} if event == "engine_loaded" and door.last_load_s is not None else {}),
        why=resident.tenant.why,
    )
