"""The operator's view of the models that come and go, and the operator's hand on them: /admin/engines, and ready-made replies
for tools that know llama-swap (/running, /unload).

Rule: what is told of an engine is read when somebody asks (`fleet.engines`); nothing is kept for it here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from time import monotonic
from typing import Final, Literal, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from hayate.api.bodies import json_answer
from hayate.api.gateway import Gateway
from hayate.api.operations import TEXT, described
from hayate.api.queue import tokens_made
from hayate.downstream.call_task import shutting_down
from hayate.engines.refusals import NotSwitched, UnknownEngine
from hayate.errors import Overloaded
from hayate.fleet.engine_view import EngineView, gpu_views, view_of

PLAIN: Final = "text/plain"
OK: Final = "OK"
Result = TypeVar("Result")
NAME: Final = {"engine": "The deployment's name, or an alias whose first deployment it is."}


class EngineError(BaseModel):
    """What last went wrong with an engine, and what to do."""

    text: str
    text_ja: str


class EngineAnswer(BaseModel):
    """One deployment's model: where it is, since when and why (`policy.tenant`). Times are in seconds."""

    name: str
    backend: str
    how: Literal["run", "sleep", "keep_alive", "router"] | None
    """How the gateway loads it; null: it does not, and `state` is `ready` or `not_ready`."""
    state: str
    since_s: float | None
    why: str | None
    gpus: list[str]
    memory_bytes: int | None
    """What it takes of each of them."""
    pin: bool
    last_load_s: float | None
    in_flight: int
    waiting: int
    idle_s: float | None
    output_tokens: int
    """What it has made since the gateway's start."""
    last_error: EngineError | None
    retry_in_s: float | None
    """When a load that failed is tried again."""
    pid: int | None
    has_log: bool


class GpuAnswer(BaseModel):
    """A GPU whose memory models share (`gpus`); used by those that are loaded, and those that come or go."""

    name: str
    memory_bytes: int
    used_bytes: int


class EnginesAnswer(BaseModel):
    """Every deployment, and what its model shares with others. Later versions only add fields."""

    engines: list[EngineAnswer]
    gpus: list[GpuAnswer]


class RunningModel(BaseModel):
    """A loaded model as llama-swap tells of it; `cmd` is left out, because commands may hold secrets."""

    model: str
    state: Literal["starting", "ready", "stopping"]
    cmd: str = ""
    proxy: str
    ttl: int
    name: str = ""
    description: str = ""


class RunningAnswer(BaseModel):
    """What is loaded."""

    running: list[RunningModel]


class UnloadedAnswer(BaseModel):
    """It is done."""

    msg: Literal["ok"] = "ok"


_RUNNING: Final[dict[str, Literal["starting", "ready", "stopping"]]] = {
    "loading": "starting",
    "ready": "ready",
    "draining": "stopping",
    "unloading": "stopping",
}


def engine_answers(gateway: Gateway) -> list[EngineAnswer]:
    """Every deployment, in the order of the configuration."""
    made = tokens_made(gateway)
    return [_answer(each, made.get(each.name, 0)) for each in gateway.engines.view(monotonic())]


def _answer(view: EngineView, output_tokens: int) -> EngineAnswer:
    error = view.last_error
    return EngineAnswer(
        name=view.name,
        backend=view.backend,
        how=view.how,
        state=view.state,
        since_s=_rounded(view.since_s),
        why=view.why,
        gpus=list(view.gpus),
        memory_bytes=view.memory_bytes,
        pin=view.pin,
        last_load_s=_rounded(view.last_load_s),
        in_flight=view.in_flight,
        waiting=view.waiting,
        idle_s=_rounded(view.idle_s),
        output_tokens=output_tokens,
        last_error=None if error is None else EngineError(text=error.en, text_ja=error.ja),
        retry_in_s=_rounded(view.retry_in_s),
        pid=view.pid,
        has_log=view.log is not None,
    )


def deployment_named(name: str, gateway: Gateway) -> str:
    """What is meant by a deployment's name, or by an alias: then the first of those behind it."""
    fleet = gateway.relay.fleet
    return name if name in fleet.deployments else next(iter(fleet.aliases.get(name, ())), name)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


@described("Which models are loaded, where, and what they do.", EnginesAnswer)
async def list_engines(_: Request, gateway: Gateway) -> Response:
    """GET /admin/engines: every deployment's model, with what it takes and what went wrong."""
    gpus = gpu_views(gateway.engines.gpus, gateway.engines.residents.values())
    answers = [GpuAnswer(name=each.name, memory_bytes=each.memory_bytes, used_bytes=each.used_bytes) for each in gpus]
    return json_answer(EnginesAnswer(engines=engine_answers(gateway), gpus=answers))


@described(
    "Loads a model; it is answered when it is ready.",
    EngineAnswer,
    errors=(UnknownEngine, NotSwitched, Overloaded),
    path=NAME,
)
async def load_engine(request: Request, gateway: Gateway) -> Response:
    """POST /admin/engines/{name}/load: others make room for it, as they do for a call that waits."""
    name = deployment_named(request.path_params["engine"], gateway)
    try:
        await _unless_ending(gateway, gateway.engines.load(name))
    except Overloaded as refusal:
        error = gateway.engines.resident(name).error
        if error is None:
            raise
        # The operator is told more than a caller.
        raise Overloaded(error.english, error.japanese, retry_after_s=refusal.retry_after_s) from None
    return json_answer(_named(name, gateway))


@described(
    "Unloads a model; it is answered when its memory is free. A call loads it again.",
    EngineAnswer,
    errors=(UnknownEngine, NotSwitched, Overloaded),
    path=NAME,
)
async def unload_engine(request: Request, gateway: Gateway) -> Response:
    """POST /admin/engines/{name}/unload: the calls that it has end first."""
    name = deployment_named(request.path_params["engine"], gateway)
    await _unless_ending(gateway, gateway.engines.unload(name))
    return json_answer(_named(name, gateway))


def _named(name: str, gateway: Gateway) -> EngineAnswer:
    """What there is to say of one. Raises UnknownEngine, NotSwitched: a reload may have taken it away meanwhile."""
    resident = gateway.engines.resident(name)
    made = tokens_made(gateway).get(name, 0)
    return _answer(view_of(resident.deployment, resident, monotonic()), made)


@described(
    "Unloads whatever is loaded, as llama-swap does: the calls that run end first.",
    answers={200: {PLAIN: TEXT}},
    errors=(NotSwitched, Overloaded),
)
async def unload_all(request: Request, gateway: Gateway) -> Response:
    """GET or POST /unload. A HEAD changes nothing: who only looks must not."""
    if request.method != "HEAD":
        await _unload(gateway)
    return PlainTextResponse(OK)


@described("The same, for those that read JSON.", UnloadedAnswer, errors=(NotSwitched, Overloaded))
async def unload_models(_: Request, gateway: Gateway) -> Response:
    """POST /api/models/unload: unloads whatever is loaded."""
    await _unload(gateway)
    return json_answer(UnloadedAnswer())


@described(
    "Unloads one model.",
    answers={200: {PLAIN: TEXT}},
    errors=(UnknownEngine, NotSwitched, Overloaded),
    path={"model": NAME["engine"]},
)
async def unload_model(request: Request, gateway: Gateway) -> Response:
    """POST /api/models/unload/{model}, as llama-swap has it."""
    name = deployment_named(request.path_params["model"], gateway)
    await _unless_ending(gateway, gateway.engines.unload(name))
    return PlainTextResponse(OK)


async def _unload(gateway: Gateway) -> None:
    """All at once; what went wrong with one is told when the others are done."""
    names = [each.name for each in gateway.engines.view(monotonic()) if each.how and each.state in _RUNNING]
    unloading = asyncio.gather(*map(gateway.engines.unload, names), return_exceptions=True)
    for error in await _unless_ending(gateway, unloading):
        if isinstance(error, BaseException):
            raise error


@described("What is loaded, in llama-swap's shape.", RunningAnswer)
async def list_running(_: Request, gateway: Gateway) -> Response:
    """GET /running: the models that the gateway loads and unloads, and that are in memory or on their way."""
    deployments = gateway.relay.fleet.deployments
    running = [
        RunningModel(
            model=each.name,
            state=_RUNNING[each.state],
            proxy=next((replica.url for replica in deployments[each.name].replicas), ""),
            ttl=int(deployments[each.name].spec.idle_unload_s or 0),
        )
        for each in gateway.engines.view(monotonic())
        if each.how is not None and each.state in _RUNNING
    ]
    return json_answer(RunningAnswer(running=sorted(running, key=lambda each: each.model)))


async def _unless_ending(gateway: Gateway, work: Awaitable[Result]) -> Result:
    """What the work comes to. Raises what it raises; ShuttingDown when the gateway ends first, which waits for nobody here."""
    doing, ending = asyncio.ensure_future(work), asyncio.ensure_future(gateway.ending.wait())
    try:
        await asyncio.wait((doing, ending), return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise shutting_down()
    finally:
        doing.cancel()
        ending.cancel()
