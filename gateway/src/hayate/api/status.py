"""The operator's view of the whole gateway in one answer: what `hayate status` asks for."""

from __future__ import annotations

from time import monotonic

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from hayate import __version__
from hayate.api.admin import DeploymentAnswer, deployment_answers
from hayate.api.engines import EngineAnswer, engine_answers
from hayate.api.gateway import Gateway
from hayate.api.operations import described

_STARTED = monotonic()
"""When this process began to load what serves."""


class StatusAnswer(BaseModel):
    """What runs. Later versions only add fields."""

    version: str
    uptime_s: float
    ready: bool
    """Whether the alias `default` can be served."""
    aliases: dict[str, list[str]]
    deployments: list[DeploymentAnswer]
    engines: list[EngineAnswer]
    """Of the same deployments: whose models are loaded."""


@described("The gateway, its aliases, its deployments, their replicas and their models.", StatusAnswer)
async def show_status(_: Request, gateway: Gateway) -> Response:
    """GET /admin/status: the gateway, its aliases, its deployments, their replicas and whether their models are loaded."""
    fleet, now = gateway.relay.fleet, gateway.relay.now()
    answer = StatusAnswer(
        version=__version__,
        uptime_s=round(monotonic() - _STARTED, 1),
        ready=fleet.ready(now),
        aliases={name: list(targets) for name, targets in fleet.aliases.items()},
        deployments=deployment_answers(fleet, now),
        engines=engine_answers(gateway),
    )
    return Response(answer.model_dump_json(), media_type="application/json")
