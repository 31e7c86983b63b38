"""OpenAI's dialect: /v1/chat/completions and /v1/completions. The paths that are only passed through are in `relayed`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from hayate.api.assembled import FollowUps, respond_assembled
from hayate.api.call_endpoint import Handle
from hayate.api.gateway import Gateway
from hayate.api.turns import LONG_BODY_BYTES, others_first
from hayate.backends.base import Backend
from hayate.downstream.client import Client
from hayate.relay.heads import DOCUMENT
from hayate.relay.relay import Answer, Call
from hayate.telemetry.record import CallRecord
from hayate.wire import validation as checks
from hayate.wire.assemble import Assembler
from hayate.wire.decoder import StreamDecoder
from hayate.wire.error_bodies import JSON
from hayate.wire.numbers import output_limit
from hayate.wire.replies import completion_events
from hayate.wire.request_body import model_of, parse_object
from hayate.wire.upstream_request import UpstreamRequest

Fields = dict[str, Any]
Kind = Literal["chat", "text"]


def create_completion(kind: Kind) -> Handle:
    """POST /v1/chat/completions, or /v1/completions"""
    check = checks.check_chat if kind == "chat" else checks.check_completion

    async def handle(gateway: Gateway, client: Client, record: CallRecord) -> None:
        body = client.arrived(gateway.settings.max_body_bytes)
        if body is None:
            body = await client.body(gateway.settings.max_body_bytes)
        fields, size = parse_object(body, gateway.settings.caps.max_weight_per_mib), len(body)
        del body  # a long prompt must not stay in memory for as long as its answer takes
        if size > LONG_BODY_BYTES:
            await others_first()
        model = model_of(fields)
        if not gateway.relay.fleet.knows(model):  # an unknown model's body is not looked through
            await gateway.relay.check_model(model)
        check(fields, gateway.settings.caps)
        if size > LONG_BODY_BYTES:
            await others_first()
        record.stream = bool(fields.get("stream"))
        with client:
            if record.stream:
                client.expect_stream()
            answer = await gateway.relay.open(completion_call(record, fields, kind))
            try:
                if record.stream:
                    decoder = _decoder(answer.backend, fields, kind)
                    del fields
                    await stream_completion(gateway, client, answer, decoder)
                elif answer.backend.always_streams and answer.exchange.headers is not DOCUMENT:
                    asked = {**fields, "stream": True, "stream_options": {"include_usage": True}}
                    decoder = _decoder(answer.backend, asked, kind)
                    assembler = Assembler(chat=kind == "chat", prefix=answer.backend.repeats(fields))
                    ask = FollowUps(rest=_rest(answer, fields, assembler))
                    await respond_assembled(gateway, client, answer, decoder, assembler, ask=ask)
                else:
                    whole = await answer.whole()
                    await client.respond(200, JSON, whole.body)
            finally:
                answer.close()

    return handle


def completion_call(record: CallRecord, fields: Fields, kind: Kind) -> Call:
    """The call for a completion's fields, whichever adapter will render it."""
    model = fields.get("model")
    record.model = model or "default"
    streams = record.stream

    def render(backend: Backend, served_model: str | None) -> UpstreamRequest:
        sent = fields if streams or not backend.always_streams else backend.streamed(fields)
        request = backend.chat(sent, served_model) if kind == "chat" else backend.completion(sent, served_model)
        request.streams = streams or backend.always_streams
        return request

    to_events = completion_events if streams else None
    return Call(record, model, render, output_limit(fields), to_events, not fields.get("stream_options"))


async def stream_completion(gateway: Gateway, client: Client, answer: Answer, decoder: StreamDecoder) -> None:
    """The answer as server-sent events."""
    await client.start_stream()
    await answer.pump(decoder, client, client_stall_s=gateway.settings.client_stall_s)
    await client.end_stream()


def _rest(answer: Answer, fields: Fields, assembler: Assembler) -> Callable[[dict[str, Any]], UpstreamRequest | None]:
    """What asks for the end of a text, should the stream have left it out."""

    def asked(whole: dict[str, Any]) -> UpstreamRequest | None:
        tokens = assembler.left_out(whole)
        if not tokens:
            return None
        rest = answer.backend.rest(fields, whole["choices"][0]["text"], tokens)
        return None if rest is None else answer.backend.completion(rest, answer.deployment.served_model)

    return asked


def _decoder(backend: Backend, fields: Fields, kind: Kind) -> StreamDecoder:
    return backend.chat_decoder(fields) if kind == "chat" else backend.completion_decoder(fields)
