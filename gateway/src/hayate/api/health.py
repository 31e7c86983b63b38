"""Liveness, honest readiness, metrics, and the list of models."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from hayate.access.guards import known
from hayate.access.principals import OWNER, Principal, Role
from hayate.access.terms import Terms
from hayate.api.bodies import json_answer
from hayate.api.gateway import Gateway
from hayate.api.health_answers import (
    Architecture,
    DeploymentReadiness,
    Kind,
    LiveAnswer,
    ModelAnswer,
    ModelFacts,
    ModelsAnswer,
    ReadyAnswer,
    ReadyInDetail,
    ReasonWord,
    ReplicaInUse,
    ReplicaReadiness,
)
from hayate.api.leave import check_model, check_right, default_limit
from hayate.api.operations import JSON, TEXT, described
from hayate.backends.told import MAX_TOKENS
from hayate.errors import UnknownModel
from hayate.fleet.deployment import Deployment
from hayate.fleet.fleet import Fleet
from hayate.fleet.replica import Replica
from hayate.language import Language
from hayate.reasons import Reason
from hayate.telemetry.exposition import CONTENT_TYPE, in_slices
from hayate.wire.error_bodies import language_of

_STARTED = int(time.time())
"""OpenAI's `created` of every model: when an engine's model was made is not known here."""
_READY: Final = ReadyInDetail | ReadyAnswer
_INPUTS: Final = {
    None: None,
    False: Architecture(input_modalities=["text"]),
    True: Architecture(input_modalities=["text", "image"]),
}
"""By whether a model takes pictures."""


@described("The process answers, whatever its engines do.", LiveAnswer)
async def live(_: Request, __: Gateway) -> Response:
    """GET /health: the process answers, whatever its engines do."""
    return json_answer(LiveAnswer())


@described("Whether calls to the alias `default` can be answered.", _READY, answers={503: {JSON: _READY}})
async def ready(request: Request, gateway: Gateway) -> Response:
    """GET /health/readiness: 200 when some replica of the alias `default` has been seen to answer, else 503. What is
    behind it is told to those who bring a key: of what they may call; and how many calls run there to those alone who may
    know of everybody's.
    """
    relay = gateway.relay
    now = relay.now()
    good = relay.fleet.ready(now)
    answer = ReadyAnswer(status="ready" if good else "not_ready")
    principal = known(gateway.auth, request.scope["headers"])
    if principal is not None:
        deployments = _deployments(relay.fleet, principal, now, language_of(request.scope["headers"]))
        answer = ReadyInDetail(status=answer.status, deployments=deployments)
    return json_answer(answer, 200 if good else 503)


def _deployments(fleet: Fleet, principal: Principal, now: float, language: Language) -> dict[str, DeploymentReadiness]:
    sees_all = principal is OWNER or principal.role is Role.OPERATOR
    return {
        each.name: DeploymentReadiness(
            ready=each.ready(now),
            replicas=[_replica(replica, now, language, sees_all=sees_all) for replica in each.replicas],
        )
        for each in _behind(fleet, principal)
    }


def _replica(replica: Replica, now: float, language: Language, *, sees_all: bool) -> ReplicaReadiness:
    found = ReplicaReadiness(
        healthy=replica.health.ready(now),
        state=replica.health.state(now),
        reason=_reason(replica.trouble(now), language),
    )
    return ReplicaInUse(**dict(found), in_flight=replica.in_flight) if sees_all else found


def _behind(fleet: Fleet, principal: Principal) -> list[Deployment]:
    """The deployments that calls of this principal may come to, in the order of the configuration."""
    names = principal.terms.models
    if names is None:
        return [*fleet.deployments.values()]
    reached = {each.name for name in names if fleet.has(name) for each in fleet.route(name)}
    return [each for each in fleet.deployments.values() if each.name in reached]


def _reason(reason: Reason | None, language: Language) -> ReasonWord | None:
    return None if reason is None else ReasonWord(code=reason.value, text=reason.to_callers.of(language))


@described("What Prometheus reads.", answers={200: {"text/plain": TEXT}})
async def metrics(_: Request, gateway: Gateway) -> Response:
    """GET /metrics: Prometheus text. Needs the key, as everything that tells of use does."""
    gateway.calls.flush()
    return _InSlices(in_slices(gateway.metrics.pieces()), media_type=CONTENT_TYPE)


class _InSlices(StreamingResponse):
    """An answer that is sent while it is made. A client that leaves meanwhile is not watched for: there is not much to make."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Starlette's own would watch, in two tasks more."""
        await self.stream_response(send)


@described("The models that may be called: aliases, deployments, and what else their engines serve.", ModelsAnswer)
async def list_models(request: Request, gateway: Gateway) -> Response:
    """GET /v1/models: what the key may call; aliases first, then deployments, then what else their engines serve (adapters
    loaded at run time, say).
    """
    terms = request.state.principal.terms
    found = _models(gateway, terms, language_of(request.scope["headers"]))
    return json_answer(ModelsAnswer(data=[each for each in found if terms.may_call(each.id)]))


@described("One model.", ModelAnswer, errors=(UnknownModel,), path={"model": "Its name, which may hold slashes."})
async def show_model(request: Request, gateway: Gateway) -> Response:
    """GET /v1/models/{id}; the id may hold slashes, and may be the engine's own. Raises UnknownModel."""
    wanted, terms = request.path_params["model"], request.state.principal.terms
    check_right(terms, wanted)
    language = language_of(request.scope["headers"])
    for model in _models(gateway, terms, language):
        if model.id == wanted:
            return json_answer(model)
    await check_model(gateway, terms, wanted)
    tell = partial(_model, gateway.relay.now(), terms, language)
    return json_answer(tell(wanted, "served_model", gateway.relay.fleet.route(wanted)[:1]))


def _models(gateway: Gateway, terms: Terms, language: Language) -> list[ModelAnswer]:
    fleet, tell = gateway.relay.fleet, partial(_model, gateway.relay.now(), terms, language)
    aliases = [
        tell(alias, "alias", [fleet.deployments[target] for target in targets])
        for alias, targets in fleet.aliases.items()
    ]
    deployments = [tell(each.name, "deployment", [each]) for each in fleet.deployments.values()]
    named = {*fleet.aliases, *fleet.deployments}
    served: dict[str, Deployment] = {}
    for each in fleet.deployments.values():
        for model in sorted(each.models - named - {each.served_model}):
            served.setdefault(model, each)
    return [
        *aliases,
        *deployments,
        *(tell(model, "served_model", [each]) for model, each in served.items()),
    ]


def _model(
    now: float, terms: Terms, language: Language, name: str, kind: Kind, targets: list[Deployment]
) -> ModelAnswer:
    first = targets[0]
    ready = any(each.ready(now) for each in targets)
    facts = ModelFacts(
        kind=kind,
        engine=first.backend.name,
        model=first.served_model,
        targets=[each.name for each in targets],
        ready=ready,
        reason=None if ready else _reason(first.trouble(now), language),
        context_tokens=first.context_tokens,
        max_output_tokens=terms.max_output_tokens,
    )
    limit = default_limit(terms)
    return ModelAnswer(
        id=name,
        created=_STARTED,
        max_model_len=first.context_tokens,
        architecture=_INPUTS[first.images],
        default_parameters=first.defaults if limit is None else {**first.defaults, MAX_TOKENS: limit},
        hayate=facts,
    )
