"""Builds everything: the adapters and tables from the configuration, the routes, and what lives as long as the server does."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hayate import __version__
from hayate.api import health, session
from hayate.api.auth import Authenticator, ensure_key
from hayate.api.dialects import ANTHROPIC, GENERATE, OPENAI, RESPONSES, Dialect, error_headers, language_of
from hayate.api.endpoint import Gateway, RelayEndpoint
from hayate.api.generate import generate_stream
from hayate.api.openai import create_completion
from hayate.api.relayed import relayed
from hayate.backends.base import Backend
from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.backends.openai_compat import RELAYED, OpenAICompatible
from hayate.backends.vllm_client import VLLMClient
from hayate.config import Config, DeploymentConfig
from hayate.errors import GatewayError, UnknownPath, WrongMethod
from hayate.pool import DeploymentSpec, Fleet, Prober, Probing, Replica, Timeouts
from hayate.relay import Relay
from hayate.telemetry import Telemetry, notice
from hayate.ticker import TICK_S, Ticker
from hayate.wire.checks import Caps

STATIC = Path(__file__).parent / "static"
PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
BACKENDS: Mapping[str, type[Backend]] = {"vllm": VLLMClient, "llamacpp": LlamaCppClient, "openai": OpenAICompatible}


class Hayate(FastAPI):
    """FastAPI, with a short way in for the paths that calls take: a look-up instead of six middlewares and a router."""

    hot: Mapping[tuple[str, str], ASGIApp] = MappingProxyType({})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection."""
        endpoint = self.hot.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if endpoint is None:
            await super().__call__(scope, receive, send)
        else:
            await endpoint(scope, receive, send)


def create_app(config: Config) -> FastAPI:
    """The ASGI application. Nothing is opened before its lifespan starts."""

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, Any]]:
        key, _made = ensure_key(config.data, os.environ)
        fleet = Fleet(specs(config), config.aliases, _probing(config))
        ticker = Ticker(min(TICK_S, config.server.heartbeat_s / 4))
        gateway = Gateway(
            relay=Relay(fleet, ticker),
            auth=Authenticator(key),
            telemetry=Telemetry(fleet),
            caps=Caps(
                config.safety.max_n,
                config.safety.max_output_tokens,
                config.safety.max_media_bytes,
                frozenset(config.safety.allow_fields),
            ),
            max_body_bytes=config.server.max_body_bytes,
            ticker=ticker,
            heartbeat_s=config.server.heartbeat_s,
            client_stall_s=config.server.client_stall_s,
            requests_per_minute=config.limits.requests_per_minute,
            burst=config.limits.burst,
        )
        prober = asyncio.create_task(Prober(fleet, on_change=_tell_change).run())
        try:
            yield {"gateway": gateway}
        finally:
            prober.cancel()
            await asyncio.gather(prober, return_exceptions=True)
            ticker.close()
            fleet.close()

    app = Hayate(
        title="Hayate", version=__version__, lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None
    )
    routes = _routes()
    app.hot = {
        (method, each.path): each.endpoint
        for each in routes
        if isinstance(each.endpoint, RelayEndpoint)
        for method in each.methods or ()
    }
    app.router.routes.extend(routes)
    app.add_exception_handler(GatewayError, _tell_error)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _tell_http_error)  # type: ignore[arg-type]
    return app


def specs(config: Config) -> list[DeploymentSpec]:
    """The deployments with their adapters made. Raises ConfigError for an option its engine does not have."""
    return [_spec(name, each) for name, each in config.deployments.items()]


def _spec(name: str, each: DeploymentConfig) -> DeploymentSpec:
    credentials = ((b"authorization", b"Bearer " + each.api_key.get_secret_value().encode()),) if each.api_key else ()
    limits = each.timeouts
    return DeploymentSpec(
        name=name,
        backend=BACKENDS[each.backend](),
        model=each.model,
        replicas=each.replicas,
        credentials=credentials,
        max_in_flight=each.max_in_flight,
        max_queued=each.max_queued,
        queue_timeout_s=each.queue_timeout_s,
        context_tokens=each.context_tokens,
        timeouts=Timeouts(limits.connect_s, limits.first_byte_s, limits.silence_s, limits.total_s),
    )


def _probing(config: Config) -> Probing:
    return Probing(
        config.health.probe_interval_s, config.health.probe_timeout_s, config.health.eject_after, config.health.eject_s
    )


def _tell_change(replica: Replica, is_ready: bool) -> None:
    notice("replica_ready" if is_ready else "replica_not_ready", replica=replica.label)


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
