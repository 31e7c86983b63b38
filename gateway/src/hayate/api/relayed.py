"""Paths that pass through to engines that have them: embeddings, responses, messages, rerank, audio, tokenize.

Only the model's name is changed, and only what could hurt is checked; where an engine lacks the endpoint the caller gets a
clear error in its own dialect. Bodies are JSON, or multipart forms (audio) whose `model` part is rewritten in place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import orjson

from hayate.api.endpoint import Gateway
from hayate.api.relay_response import Client
from hayate.backends.base import Backend, UpstreamRequest
from hayate.errors import InvalidRequest, NotSupported
from hayate.relay import Answer, Call, output_tokens
from hayate.telemetry import CallRecord
from hayate.wire import checks
from hayate.wire.http1 import Headers
from hayate.wire.relay_stream import RawStream, RelayedStream

_PASSED_ON = (b"content-type", b"content-disposition")
_MODEL_PART = re.compile(
    rb'(content-disposition:[^\r\n]*[; ]name="model"[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n)([^\r\n]*)(?=\r\n--)',
    re.IGNORECASE,
)


def relayed(path: str) -> Callable[[Gateway, Client, CallRecord], Any]:
    """The handler of one passed-through path."""

    async def handle(gateway: Gateway, client: Client, record: CallRecord) -> None:
        body = await client.body(gateway.max_body_bytes)
        content_type = client.header(b"content-type") or b"application/json"
        if content_type.lower().startswith(b"multipart/form-data"):
            call = _form_call(record, path, content_type, body)
        else:
            call = _json_call(gateway, record, path, body)
        with client:
            if record.stream and path in ("/v1/responses", "/v1/messages"):
                client.expect_stream()
            answer = await gateway.relay.open(call)
            try:
                await _relay(gateway, client, answer)
            finally:
                answer.close()

    return handle


async def _relay(gateway: Gateway, client: Client, answer: Answer) -> None:
    headers: Headers = [pair for pair in answer.exchange.headers if pair[0] in _PASSED_ON]
    content_type = (answer.exchange.header(b"content-type") or b"").lower()
    if content_type.startswith(b"text/event-stream"):
        await client.start_stream()
        await answer.pump(RelayedStream(), client, client_stall_s=gateway.client_stall_s)
        await client.end_stream()
    elif content_type.startswith(b"application/json"):
        raw = await answer.read()
        _read_usage(answer.record, raw)
        await client.respond(answer.exchange.status, headers, raw)
    else:
        await client.start_stream(answer.exchange.status, headers)
        await answer.pump(RawStream(), client, client_stall_s=gateway.client_stall_s)
        await client.end_stream()


def _json_call(gateway: Gateway, record: CallRecord, path: str, body: bytes) -> Call:
    fields = checks.parse_object(body)
    _check(fields, gateway.caps)
    if path == "/v1/responses":
        checks.check_background(fields)
    model = fields.get("model")
    record.model = model or "default"
    record.stream = bool(fields.get("stream"))

    def render(backend: Backend, served_model: str | None) -> UpstreamRequest:
        sent = fields if served_model is None else {**fields, "model": served_model}
        return UpstreamRequest(
            _path_of(backend, path), orjson.dumps(sent), headers=[(b"content-type", b"application/json")]
        )

    return Call(record, model, render, output_tokens(fields))


def _form_call(record: CallRecord, path: str, content_type: bytes, body: bytes) -> Call:
    found = _MODEL_PART.search(body)
    model = found.group(2).decode("utf-8", "replace").strip() if found else None
    record.model = model or "default"

    def render(backend: Backend, served_model: str | None) -> UpstreamRequest:
        sent = body
        if found and served_model is not None:
            sent = body[: found.start(2)] + served_model.encode() + body[found.end(2) :]
        return UpstreamRequest(_path_of(backend, path), sent, headers=[(b"content-type", content_type)])

    return Call(record, model, render)


def _path_of(backend: Backend, path: str) -> str:
    found = backend.endpoint(path)
    if found is None:
        raise NotSupported(
            f"{backend.name} has no {path}; ask a model on an engine that has it.",
            f"{backend.name} には {path} がありません。対応するエンジンのモデルを指定してください。",
        )
    return found


def _check(fields: dict[str, Any], caps: checks.Caps) -> None:
    """The checks that hold for any dialect: the model's name, risky fields, media that an engine would fetch."""
    checks.check_risky(fields, caps)
    if not isinstance(fields.get("model"), str | None):
        raise InvalidRequest("'model' must be a string.", "'model' は文字列にしてください。", param="model")
    if not isinstance(fields.get("stream"), bool | None):
        raise InvalidRequest(
            "'stream' must be true or false.", "'stream' は true か false にしてください。", param="stream"
        )
    checks.check_tools(fields.get("tools"))
    for name in ("messages", "input", "documents", "query"):
        _check_sources(name, fields.get(name), caps)


def _check_sources(where: str, value: Any, caps: checks.Caps) -> None:
    """Every object inside `value` that names a medium: it must bring it along."""
    level: list[tuple[str, Any]] = [(where, value)]
    while level:
        path, item = level.pop()
        if isinstance(item, dict):
            checks.check_media(path, item, caps)
            source = item.get("source")
            if isinstance(source, dict) and (source.get("type") == "url" or source.get("url") is not None):
                _check_source_url(path, item, source.get("url"), caps)
            level += [(f"{path}.{key}", each) for key, each in item.items() if isinstance(each, dict | list)]
        elif isinstance(item, list):
            level += [(f"{path}.{n}", each) for n, each in enumerate(item) if isinstance(each, dict | list)]


def _check_source_url(where: str, block: dict[str, Any], url: Any, caps: checks.Caps) -> None:
    """Anthropic's blocks that name their content by a URL: an image of a listed host, nothing else."""
    if block.get("type") != "image" or not isinstance(url, str) or not caps.image_hosts.allow(url):
        raise checks.fetched(f"{where}.source")


def _read_usage(record: CallRecord, raw: bytes) -> None:
    if b'"usage"' in raw:
        try:
            answer = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return
        if isinstance(answer, dict):
            record.usage.take(answer.get("usage"))
