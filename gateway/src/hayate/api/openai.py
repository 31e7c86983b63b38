"""OpenAI's dialect: /v1/chat/completions and /v1/completions. The paths that are only passed through are in `passthrough`."""

from __future__ import annotations

from typing import Literal

from hayate.access.grants import Grant
from hayate.api.assembled import respond_assembled
from hayate.api.call_endpoint import Handle
from hayate.api.gateway import Gateway
from hayate.api.leave import admit, check_model, fill
from hayate.api.pauses import LONG_BODY_BYTES, others_first
from hayate.downstream.client import Client
from hayate.relay.call import Call
from hayate.relay.heads import DOCUMENT
from hayate.telemetry.record import CallRecord
from hayate.wire import validation as checks
from hayate.wire.error_bodies import JSON
from hayate.wire.paths import CHAT, TEXT
from hayate.wire.request_body import model_of, parse_object

Kind = Literal["chat", "text"]


def create_completion(kind: Kind) -> Handle:
    """The handler of POST /v1/chat/completions, or of /v1/completions: they differ in what is checked and where it goes."""
    path, check = (CHAT, checks.check_chat) if kind == "chat" else (TEXT, checks.check_completion)

    async def handle(gateway: Gateway, client: Client, record: CallRecord, grant: Grant) -> None:
        body = client.arrived(gateway.settings.max_body_bytes)
        if body is None:
            body = await client.body(gateway.settings.max_body_bytes)
        fields, size = parse_object(body, gateway.settings.caps.max_weight_per_mib), len(body)
        del body  # a long prompt must not stay in memory for as long as its answer takes
        if size > LONG_BODY_BYTES:
            await others_first()
        fill(grant.principal.terms, path, fields)
        model = model_of(fields)
        record.model = model or "default"
        if not gateway.relay.fleet.knows(model):  # an unknown model's body is not looked through
            await check_model(gateway, grant.principal.terms, model)
        check(fields, gateway.settings.caps)
        if size > LONG_BODY_BYTES:
            await others_first()
        admit(gateway, client, grant, path, size, fields)
        record.stream = streams = bool(fields.get("stream"))
        with client:
            if streams:
                client.expect_stream()
            with await gateway.relay.open(Call(path, model, fields, streams, record=record)) as answer:
                del fields  # nor must what was read of it
                decoder = answer.decoder
                if decoder is None or answer.exchange.headers is DOCUMENT:
                    await client.respond(200, JSON, (await answer.whole()).body)
                elif answer.assembly is not None:
                    await respond_assembled(gateway, client, answer, decoder, answer.assembly)
                else:
                    await client.start_stream()
                    await answer.pump(decoder, client, client_stall_s=gateway.settings.client_stall_s)
                    await client.end_stream()

    return handle
