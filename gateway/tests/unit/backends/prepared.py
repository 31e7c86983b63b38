"""What an adapter makes of a call, for tests that look at one part of it."""

from __future__ import annotations

from typing import Any

from hayate.backends.base import Asked, Backend, Prepared
from hayate.wire.decoder import StreamDecoder
from hayate.wire.paths import CHAT, TEXT
from hayate.wire.upstream_request import UpstreamRequest


def prepared(
    backend: Backend, fields: dict[str, Any], model: str | None = "m", path: str = CHAT, *, streams: bool | None = None
) -> Prepared:
    """The call for these fields; streamed if they say so."""
    streamed = bool(fields.get("stream")) if streams is None else streams
    return backend.prepare(Asked(path, fields.get("model"), fields, streamed), model)


def chat(backend: Backend, fields: dict[str, Any], model: str | None = "m") -> UpstreamRequest:
    """What a chat sends."""
    return prepared(backend, fields, model).request


def completion(backend: Backend, fields: dict[str, Any], model: str | None = "m") -> UpstreamRequest:
    """What a text completion sends."""
    return prepared(backend, fields, model, TEXT).request


def decoder(backend: Backend, fields: dict[str, Any], path: str = CHAT) -> StreamDecoder:
    """What reads a client's stream."""
    found = prepared(backend, fields, path=path, streams=True).decoder
    assert found is not None
    return found
