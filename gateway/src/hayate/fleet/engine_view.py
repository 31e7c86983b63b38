"""What is loaded, for the operator: one line for each deployment, whoever loads its model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hayate.engines.base import How
from hayate.fleet.deployment import Deployment
from hayate.fleet.resident import Resident
from hayate.language import Text
from hayate.policy.tenant import AWAY, GpuTerms


@dataclass(frozen=True, slots=True)
class EngineView:
    """One deployment's engine. Of one that is not the gateway's to load, `how` is None, and `state` says whether it is ready."""

    name: str
    backend: str
    how: How | None
    state: str
    since_s: float | None
    why: str | None
    """A word: what brought it into that state (`policy.arbiter`)."""
    gpus: tuple[str, ...]
    memory_bytes: int | None
    last_load_s: float | None
    in_flight: int
    waiting: int
    idle_s: float | None
    last_error: Text | None
    pid: int | None
    pin: bool
    retry_in_s: float | None
    log: Path | None


@dataclass(frozen=True, slots=True)
class GpuView:
    """One GPU: what there is of its memory, and what is taken by models that are loaded, come or go."""

    name: str
    memory_bytes: int
    used_bytes: int


def gpu_views(gpus: Mapping[str, GpuTerms], residents: Iterable[Resident]) -> list[GpuView]:
    """In the order of the configuration."""
    there = [each.tenant for each in residents if each.tenant.state not in AWAY]
    return [
        GpuView(name, terms.memory, sum(tenant.needs.get(name, 0) for tenant in there)) for name, terms in gpus.items()
    ]


def view_of(deployment: Deployment, resident: Resident | None, now: float) -> EngineView:
    """`now` is of the monotonic clock."""
    gate, spec = deployment.gate, deployment.spec
    if resident is None:
        last = next((each.last_error for each in deployment.replicas if each.last_error is not None), None)
        return EngineView(
            name=deployment.name,
            backend=deployment.backend.name,
            how=None,
            state="ready" if deployment.ready(now) else "not_ready",
            since_s=None,
            why=None,
            gpus=spec.gpu,
            memory_bytes=spec.memory,
            last_load_s=None,
            in_flight=gate.in_flight,
            waiting=gate.queued,
            idle_s=None,
            last_error=None if last is None else last.texts,
            pid=None,
            pin=False,
            retry_in_s=None,
            log=None,
        )
    tenant, engine = resident.tenant, resident.engine
    return EngineView(
        name=deployment.name,
        backend=deployment.backend.name,
        how=engine.how,
        state=tenant.state.value,
        since_s=max(0.0, now - tenant.since),
        why=tenant.why,
        gpus=spec.gpu,
        memory_bytes=spec.memory,
        last_load_s=resident.door.last_load_s,
        in_flight=gate.in_flight,
        waiting=gate.queued,
        idle_s=resident.idle_s,
        last_error=None if resident.error is None else resident.error.texts,
        pid=engine.pid,
        pin=spec.pin,
        retry_in_s=max(0.0, tenant.retry_at - now) if tenant.retry_at > now else None,
        log=engine.log,
    )
