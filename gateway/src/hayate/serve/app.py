"""Builds everything: the adapters and tables from the configuration, the routes, and what lives as long as the server does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from hayate import __version__
from hayate.access.authenticator import ADMIN, Authenticator, ensure_key
from hayate.api import admin, health, session
from hayate.api.call_endpoint import Gateway, RelayEndpoint
from hayate.api.generate import generate_stream
from hayate.api.openai import create_completion
from hayate.api.passthrough import relayed
from hayate.backends.openai_compat import RELAYED
from hayate.config.load import load_config
from hayate.config.models import Config
from hayate.downstream.request_id import answer_id
from hayate.downstream.stream import Endpoint
from hayate.errors import GatewayError, UnknownPath, WrongMethod
from hayate.fleet.canary import Canaries
from hayate.fleet.fleet import Fleet
from hayate.fleet.health_checks import Prober
from hayate.fleet.replica import Replica
from hayate.relay.relay import Relay
from hayate.relay.ticker import Ticker
from hayate.serve.reload import Reloader, configure
from hayate.serve.specs import specs
from hayate.telemetry.calls import Telemetry, notice
from hayate.telemetry.log_writer import last_words
from hayate.wire.error_bodies import ANTHROPIC, GENERATE, OPENAI, RESPONSES, Dialect, error_headers, language_of
from hayate.wire.http1 import header

STATIC = Path(__file__).parents[1] / "static"
PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


class Hayate(FastAPI):
    """FastAPI, with the endpoints that our own server calls directly: a look-up instead of six middlewares and a router.

    Every answer gets its `x-request-id` here, outside of all middlewares, so that those to their failures have one too.
    """

    hot: dict[tuple[bytes, bytes], Endpoint]
    """By method and path; filled when the gateway they serve is there."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; calls name themselves."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", [])
                if header(headers, b"x-request-id") is None:
                    message = {**message, "headers": [*headers, (b"x-request-id", answer_id(scope["headers"]))]}
            await send(message)

        await super().__call__(scope, receive, named)


def create_app(config: Config, load: Callable[[], Config] = load_config) -> Hayate:
    """The ASGI application. Nothing is opened before its lifespan starts. `load` reads the configuration again for a reload."""
    deployments = specs(config)  # before the lifespan: a ConfigError must reach whoever starts the gateway

    routes = _routes()

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        key, admin_key = ensure_key(config.data)[0], ensure_key(config.data, place=ADMIN)[0]
        fleet = Fleet(deployments, config.aliases, config.health)
        ticker = Ticker()
        telemetry = Telemetry(fleet, later=asyncio.get_running_loop().call_later)
        gateway = Gateway(Relay(fleet, ticker), Authenticator(key), Authenticator(admin_key), telemetry, ticker)
        configure(gateway, config)
        reloader = Reloader(fleet, gateway, config, load)
        app.state.reload = gateway.reload = reloader.reload
        prober = Prober(fleet, on_change=_tell_change)
        gateway.relay.refresh = prober.refresh
        watches = [
            asyncio.create_task(prober.run()),
            asyncio.create_task(Canaries(fleet, on_change=_tell_change).run()),
        ]
        app.hot.update(
            ((method.encode(), each.path.encode()), partial(each.endpoint.serve, gateway))
            for each in routes
            if isinstance(each.endpoint, RelayEndpoint)
            for method in each.methods or ()
        )
        try:
            yield {"gateway": gateway}
        finally:
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*watches, return_exceptions=True)
            ticker.close()
            fleet.close()
            telemetry.flush()
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
    app.router.routes.extend(routes)
    app.include_router(admin.router)
    app.add_exception_handler(GatewayError, _tell_error)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _tell_http_error)  # type: ignore[arg-type]
    return app


def _tell_change(replica: Replica, is_ready: bool) -> None:
    if is_ready:
        notice("replica_ready", replica=replica.label)
    else:
        last = replica.last_error
        notice(
            "replica_not_ready",
            replica=replica.label,
            state=replica.health.state(monotonic()),
            reason=last.text if last else None,
        )


def _routes() -> list[Route]:
    dialects: dict[str, Dialect] = {
        "/v1/messages": ANTHROPIC,
        "/v1/messages/count_tokens": ANTHROPIC,
        "/v1/responses": RESPONSES,
    }
    routes = [
        Route("/v1/chat/completions", RelayEndpoint("chat", create_completion("chat")), methods=["POST"]),
        Route("/generate_stream", RelayEndpoint("generate", generate_stream, GENERATE), methods=["GET", "POST"]),
        Route("/v1/completions", RelayEndpoint("completions", create_completion("text")), methods=["POST"]),
    ]
    routes += [
        Route(
            path,
            RelayEndpoint(path.removeprefix("/v1/").strip("/"), relayed(path), dialects.get(path, OPENAI)),
            methods=["POST"],
        )
        for path in sorted(RELAYED)
    ]
    for each in routes:  # Starlette adds HEAD to every GET; an answer without a body is not worth a GPU
        (each.methods or set()).discard("HEAD")
    routes += [
        Route(path, health.live, methods=["GET"])
        for path in ("/health", "/health/liveliness", "/health/liveness", "/livez")
    ]
    routes += [Route(path, health.ready, methods=["GET"]) for path in ("/health/readiness", "/readyz")]
    routes += [
        Route("/v1/models", health.list_models, methods=["GET"]),
        Route("/v1/models/{model:path}", health.show_model, methods=["GET"]),
        Route("/metrics", health.metrics, methods=["GET"]),
        Route("/session", session.sign_in, methods=["POST"]),
        Route("/session", session.show_session, methods=["GET"]),
        Route("/session", session.sign_out, methods=["DELETE"]),
        Route("/", _Page("index.html"), methods=["GET"]),
        Route("/static/{path:path}", _Page(None), methods=["GET"]),
    ]
    return routes


class _Page:
    """The debug page's files, under a policy that lets nothing in from outside."""

    def __init__(self, name: str | None) -> None:
        self._name = name
        self._files = StaticFiles(directory=STATIC)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    *((name.encode(), value.encode()) for name, value in PAGE_HEADERS.items()),
                ]
            await send(message)

        path = self._name or scope["path_params"]["path"]
        response = await self._files.get_response(path, scope)
        await response(scope, receive, guarded)


async def _tell_error(request: Request, error: GatewayError) -> Response:
    headers = {name.decode(): value.decode() for name, value in error_headers(error)}
    return Response(OPENAI.body(error, language_of(request.scope["headers"])), error.status, headers=headers)


async def _tell_http_error(request: Request, error: HTTPException) -> Response:
    if error.status_code == 405:
        ours: GatewayError = WrongMethod(
            f"{request.method} is not a method of this path.", "このパスでは使えないメソッドです。"
        )
    else:
        ours = UnknownPath(
            "Nothing is served at this path. See GET /v1/models and the README.",
            "このパスには何もありません。READMEをご覧ください。",
        )
    response = await _tell_error(request, ours)
    response.headers.update(error.headers or {})
    return response
