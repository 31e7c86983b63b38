"""What loads and unloads the model of a deployment, by its configuration; and what the log says of it."""

from __future__ import annotations

from hayate.engines.base import Engine
from hayate.fleet.deployment import Deployment
from hayate.fleet.engines import Event
from hayate.fleet.resident import Resident
from hayate.telemetry.engine_metrics import EngineMetrics
from hayate.telemetry.log import log_event


def make_engine(_: Deployment) -> Engine | None:
    """The engine of a deployment whose model the gateway loads and unloads; None for one that it does not."""
    return None


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
