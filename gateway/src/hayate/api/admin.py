"""The operator's endpoints, under a key of their own (`HAYATE_ADMIN_KEY`, else `<data>/admin_key`): reload, and what is running."""

from __future__ import annotations

from pydantic import BaseModel, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from hayate.api.gateway import Gateway
from hayate.api.operations import described
from hayate.errors import RefusedConfig
from hayate.fleet.fleet import Fleet
from hayate.fleet.replica import LastError
from hayate.reasons import Reason


class ReloadAnswer(BaseModel):
    """What a reload did. `restart_needed` names changed settings that only a restart applies."""

    deployments: list[str]
    aliases: dict[str, list[str]]
    restart_needed: list[str]


class LastErrorAnswer(BaseModel):
    """What a replica last did wrong; `at` is in seconds since 1970."""

    text: str
    text_ja: str
    at: float
    code: str | None
    """Of what kind it was (`reasons.Reason`)."""


class ReasonAnswer(BaseModel):
    """Why a replica can't be used: a word for programs (`reasons.Reason`), and what it means and what to do, in both languages."""

    code: str
    en: str
    ja: str
    advice_en: str
    advice_ja: str


class ReplicaAnswer(BaseModel):
    """One running engine."""

    url: str
    healthy: bool
    available: bool
    state: str
    reason: ReasonAnswer | None
    """Why not, where it can't be used."""
    last_error: LastErrorAnswer | None
    in_flight: int
    connections: int
    models: list[str]


class DeploymentAnswer(BaseModel):
    """One deployment as it runs."""

    name: str
    engine: str
    model: str | None
    context_tokens: int | None
    in_flight: int
    queued: int
    replicas: list[ReplicaAnswer]


_DEPLOYMENTS = TypeAdapter(list[DeploymentAnswer])


def _reason(reason: Reason | None) -> ReasonAnswer | None:
    if reason is None:
        return None
    says, advice = reason.says, reason.advice
    return ReasonAnswer(code=reason.value, en=says.en, ja=says.ja, advice_en=advice.en, advice_ja=advice.ja)


def _last_error(error: LastError | None) -> LastErrorAnswer | None:
    if error is None:
        return None
    code = error.reason.value if error.reason else None
    return LastErrorAnswer(text=error.texts.en, text_ja=error.texts.ja, at=error.at, code=code)


@described("Applies the changed configuration.", ReloadAnswer, errors=(RefusedConfig,))
async def reload(_: Request, gateway: Gateway) -> Response:
    """POST /admin/reload: applies the changed file, if it is valid; else 400 with every mistake, and nothing changes."""
    done = await gateway.reload()
    answer = ReloadAnswer(
        deployments=list(done.deployments),
        aliases={name: list(targets) for name, targets in done.aliases.items()},
        restart_needed=list(done.restart_needed),
    )
    return _json(answer.model_dump_json())


@described("What is configured, and how it does.", list[DeploymentAnswer])
async def list_deployments(_: Request, gateway: Gateway) -> Response:
    """GET /admin/deployments: what is configured and how it does."""
    return _json(_DEPLOYMENTS.dump_json(deployment_answers(gateway.relay.fleet, gateway.relay.now())))


def deployment_answers(fleet: Fleet, now: float) -> list[DeploymentAnswer]:
    """Every deployment, in the order of the configuration."""
    return [
        DeploymentAnswer(
            name=each.name,
            engine=each.backend.name,
            model=each.served_model,
            context_tokens=each.context_tokens,
            in_flight=each.gate.in_flight,
            queued=each.gate.queued,
            replicas=[
                ReplicaAnswer(
                    url=replica.url,
                    healthy=replica.health.ready(now),
                    available=replica.available(now),
                    state=replica.health.state(now),
                    reason=_reason(replica.trouble(now)),
                    last_error=_last_error(replica.last_error),
                    in_flight=replica.in_flight,
                    connections=replica.pool.open_connections,
                    models=list(replica.served.models),
                )
                for replica in each.replicas
            ],
        )
        for each in fleet.deployments.values()
    ]


def _json(body: str | bytes) -> Response:
    return Response(body, media_type="application/json")
