"""Builds everything: the adapters and tables from the configuration, the routes, and what lives as long as the server does."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from functools import partial
from time import monotonic
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from hayate import __version__
from hayate.access.authenticator import Authenticator
from hayate.access.key_files import ADMIN, ensure_key
from hayate.access.metrics import AccessMetrics
from hayate.access.principals import OPERATOR, OWNER
from hayate.api.gateway import Gateway, Reloaded
from hayate.api.options import Options
from hayate.api.routes import ROUTES, methods_of, path_of
from hayate.config.load import load_config
from hayate.config.models import Config
from hayate.downstream.request_id import answer_id
from hayate.downstream.stream import Endpoint
from hayate.engines.ports import Ports
from hayate.errors import GatewayError, UnknownPath, WrongMethod
from hayate.fleet.canary import Canaries
from hayate.fleet.ceilings import Ceilings
from hayate.fleet.engines import Engines
from hayate.fleet.fleet import Fleet
from hayate.fleet.health_checks import Prober
from hayate.fleet.replica import Replica
from hayate.history.conversations import Conversations
from hayate.relay.relay import Relay
from hayate.relay.ticker import Ticker
from hayate.serve.engines import make_engine, tell
from hayate.serve.figures import Watching, in_store
from hayate.serve.keys import Keys, remember_last_minute
from hayate.serve.reload import Reloader
from hayate.serve.specs import specs
from hayate.serve.sweeper import Sweeper
from hayate.store.metrics import StoreMetrics
from hayate.store.store import Store
from hayate.telemetry.calls import EndedCalls
from hayate.telemetry.log import CallLog, log_event
from hayate.telemetry.log_writer import last_words
from hayate.telemetry.metrics import Metrics
from hayate.wire.error_bodies import OPENAI, error_headers, language_of
from hayate.wire.http1 import header
from hayate.wire.origins import Origins


class Hayate(FastAPI):
    """FastAPI, with the endpoints that our own server calls directly: a look-up instead of six middlewares and a
    router.

    Every answer gets its `x-request-id` here, outside of all middlewares, so that those to their failures have one too;
    and so with what tells a browser whose pages may read it.
    """

    hot: dict[tuple[bytes, bytes], Endpoint]
    """By method and path; filled when the gateway they serve is there."""
    origins: Origins
    """Whose pages may call."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; calls name themselves."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return

        asked, origins = scope["headers"], self.origins

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if header(headers, b"x-request-id") is None:
                    headers.append((b"x-request-id", answer_id(asked)))
                if origins.is_open:
                    headers += origins.headers_for(header(asked, b"origin"))
                message = {**message, "headers": headers}
            await send(message)

        raw = scope.get("raw_path") or quote(scope["path"]).encode()
        await super().__call__({**scope, "path": path_of(raw)}, receive, named)


def create_app(config: Config, load: Callable[[], Config] = load_config, env: Mapping[str, str] = os.environ) -> Hayate:
    """The ASGI application. Nothing is opened before its lifespan starts. `load` reads the configuration again for a reload."""
    deployments = specs(
        config, ports := Ports()
    )  # before the lifespan: a ConfigError must reach whoever starts the gateway

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        own = {ensure_key(config.data, env)[0]: OWNER, ensure_key(config.data, env, ADMIN)[0]: OPERATOR}
        store = await asyncio.to_thread(Store.open, config.data, config.store, config.history)
        fleet = Fleet(deployments, config.aliases, config.health)
        ticker = Ticker()
        metrics = Metrics(fleet)
        calls = EndedCalls([metrics.calls, metrics.keys, CallLog(), store], later=asyncio.get_running_loop().call_later)

        async def reload() -> Reloaded:
            return await reloader.reload()  # which is made of the gateway

        keys = Keys(store, config.keys)
        auth = Authenticator(own, keys.ring, origins=app.origins, port=config.server.port)
        relay, history = Relay(fleet, ticker), Conversations(store)
        prober = Prober(fleet, on_change=_tell_change)
        engines = Engines(
            fleet, partial(make_engine, ports, config.data, env), prober.meet, partial(tell, metrics.engines)
        )
        gateway = Gateway(relay, auth, calls, metrics, ticker, store, history, engines, reload, origins=app.origins)
        keys.ends = gateway.in_flight.stop_key
        app.state.sweeper = sweeper = Sweeper(gateway.in_flight.__len__)
        metrics.add(AccessMetrics(keys.ring, gateway.grants), StoreMetrics(store.path, store.writer), sweeper)
        await remember_last_minute(store, gateway.grants)
        reloader = Reloader(gateway, config, load, keys, ports, env)
        app.state.reload, app.state.ending, relay.refresh = reloader.reload, gateway.ending, prober.refresh
        app.hot.update(
            ((method.encode(), row.path.encode()), partial(row.call.serve, gateway))
            for row in ROUTES
            if row.call is not None
            for method in row.methods
        )
        try:
            async with _running(
                prober.run(),
                engines.run(),
                keys.follow(),
                sweeper.run(),
                Watching(fleet, metrics, calls, ticker, in_store(store, auth.operator.port)).run(),
                Canaries(fleet, on_change=_tell_change).run(),
                Ceilings(fleet, on_unseen=_tell_unseen).run(),
            ):
                yield {"gateway": gateway}
        finally:
            ticker.close()
            fleet.close()
            calls.flush()
            keys.close()
            await asyncio.to_thread(store.close)
            await asyncio.to_thread(last_words)

    app = Hayate(
        title="Hayate",
        version=__version__,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would send callers, keys and all, to whatever host their request named
    )
    app.hot = {}
    app.origins = Origins()
    app.router.routes.extend(row.route for row in ROUTES)
    app.add_exception_handler(GatewayError, _tell_error)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _HttpErrors(Options(app.origins)).tell)  # type: ignore[arg-type]
    return app


@contextlib.asynccontextmanager
async def _running(*watches: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Runs these until the block ends."""
    tasks = [asyncio.create_task(each) for each in watches]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _tell_change(replica: Replica, is_ready: bool) -> None:
    if is_ready:
        log_event("replica_ready", replica=replica.label)
    else:
        last = replica.last_error
        log_event(
            "replica_not_ready",
            replica=replica.label,
            state=replica.health.state(monotonic()),
            code=last.reason.value if last and last.reason else None,
            why=last.reason.says if last and last.reason else None,
            advice=last.reason.advice if last and last.reason else None,
            reason=last.texts if last else None,
        )


def _tell_unseen(replica: Replica) -> None:
    log_event("load_not_told", replica=replica.label, places=replica.ceiling.places)


async def _tell_error(request: Request, error: GatewayError) -> Response:
    headers = {name.decode(): value.decode() for name, value in error_headers(error)}
    return Response(OPENAI.body(error, language_of(request.scope["headers"])), error.status, headers=headers)


class _HttpErrors:
    """What Starlette's router has no handler for: no path of ours, another method, and OPTIONS, which has no row of its own."""

    def __init__(self, options: Options) -> None:
        self._options = options

    async def tell(self, request: Request, error: HTTPException) -> Response:
        """The answer, which for OPTIONS is none of an error."""
        methods = methods_of(request.scope["path"])
        if request.method == "OPTIONS":
            try:
                answer = self._options.answer(request.scope["headers"], methods)
            except GatewayError as refusal:
                return await _tell_error(request, refusal)
            if answer is not None:
                return answer
        if error.status_code != 405:
            return await _tell_error(
                request,
                UnknownPath(
                    "Nothing is served at this path. See GET /v1/models and the README.",
                    "このパスには何もありません。READMEをご覧ください。",
                ),
            )
        wrong = WrongMethod(f"{request.method} is not a method of this path.", "このパスでは使えないメソッドです。")
        response = await _tell_error(request, wrong)
        response.headers["allow"] = ", ".join(methods)
        return response
