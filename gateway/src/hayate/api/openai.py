"""OpenAI's dialect: /v1/chat/completions and /v1/completions. The paths that are only passed through are in `passthrough`."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import Literal

from hayate.access.grants import Grant
from hayate.api.assembled import respond_assembled
from hayate.api.call_endpoint import Handle
from hayate.api.gateway import Gateway
from hayate.api.leave import admit, check_model, fill
from hayate.api.pauses import LONG_BODY_BYTES, others_first
from hayate.api.remembering import recall, refuse_conversation, remember
from hayate.downstream.client import Client
from hayate.downstream.remembering import Told
from hayate.history.dialects import CHATS
from hayate.relay.answer import Answer
from hayate.relay.call import Call
from hayate.relay.heads import DOCUMENT
from hayate.telemetry.record import CallRecord
from hayate.wire import validation as checks
from hayate.wire.conversation_field import FIELD, HEADER
from hayate.wire.error_bodies import JSON
from hayate.wire.paths import CHAT, TEXT
from hayate.wire.request_body import model_of, parse_object

Kind = Literal["chat", "text"]


def create_completion(kind: Kind) -> Handle:
    """The handler of POST /v1/chat/completions, or of /v1/completions: they differ in what is checked and where it goes."""
    path, check = (CHAT, checks.check_chat) if kind == "chat" else (TEXT, checks.check_completion)
    remembers = partial(remember, CHATS) if kind == "chat" else refuse_conversation

    async def handle(gateway: Gateway, client: Client, record: CallRecord, grant: Grant) -> None:
        body = client.arrived(gateway.settings.max_body_bytes)
        if body is None:
            body = await client.body(gateway.settings.max_body_bytes)
        fields, size = parse_object(body, gateway.settings.caps.max_weight_per_mib), len(body)
        del body  # a long prompt must not stay in memory for as long as its answer takes
        if size > LONG_BODY_BYTES:
            await others_first()
        remembering = None
        if FIELD in fields or HEADER in client.fields:
            remembering = remembers(gateway, client, record, grant, fields)
        fill(grant.principal.terms, path, fields, system=remembering is None)
        model = model_of(fields)
        record.model = model or "default"
        if not gateway.relay.fleet.knows(model):  # an unknown model's body is not looked through
            await check_model(gateway, grant.principal.terms, model)
        if remembering is None:
            check(fields, gateway.settings.caps)
        else:
            checks.check_chat(fields, gateway.settings.caps, may_be_silent=True)
        if size > LONG_BODY_BYTES:
            await others_first()
        record.stream = streams = bool(fields.get("stream"))
        told: Told = remembering or client
        with told:
            if remembering is not None:
                size = await recall(gateway, remembering, grant, path, fields, size)
            admit(gateway, client, grant, path, size, fields)
            if streams:
                client.expect_stream()
            call = Call(path, model, fields, streams, record=record)
            opening = gateway.relay.open(call) if remembering is None else remembering.open(gateway.relay.open, call)
            answering = _answer(gateway, told, opening)
            del fields, call  # nor must what was read of it
            await answering

    return handle


async def _answer(gateway: Gateway, told: Told, opened: Awaitable[Answer]) -> None:
    with await opened as answer:
        decoder = answer.decoder
        if decoder is None or answer.exchange.headers is DOCUMENT:
            await told.respond(200, JSON, (await answer.whole()).body)
        elif answer.assembly is not None:
            await respond_assembled(gateway, told, answer, decoder, answer.assembly)
        else:
            await told.start_stream()
            await answer.pump(decoder, told, client_stall_s=gateway.settings.client_stall_s)
            await told.end_stream()
