"""Paths that pass through to engines that have them: embeddings, responses, messages, rerank, audio, tokenize.

Only the model's name is changed, and only what could hurt is checked; where an engine lacks the endpoint the caller
gets a clear error in its own dialect. Bodies are JSON, or multipart forms (audio) whose `model` part is rewritten in
place.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from hayate.access.grants import Grant
from hayate.access.terms import Terms
from hayate.api.assembled import respond_assembled
from hayate.api.gateway import Gateway
from hayate.api.leave import admit, check_model, fill, model_of_form
from hayate.api.pauses import LONG_BODY_BYTES, others_first
from hayate.api.remembering import Remembers, recall, refuse_conversation, remember, remember_response
from hayate.downstream.client import Client
from hayate.downstream.remembering import Told
from hayate.history.dialects import OF_PATH
from hayate.relay.answer import Answer
from hayate.relay.call import Call
from hayate.relay.heads import DOCUMENT
from hayate.telemetry.record import CallRecord
from hayate.wire import validation as checks
from hayate.wire.decoder import StreamDecoder
from hayate.wire.error_bodies import JSON
from hayate.wire.forms import Form
from hayate.wire.glance import usage_in
from hayate.wire.media import check_sources
from hayate.wire.passed_json import PassedJson
from hayate.wire.passthrough_stream import PassthroughStream, RawStream
from hayate.wire.paths import RESPONSES
from hayate.wire.replies import TO_EVENTS
from hayate.wire.request_body import model_of, parse_object

_HOLD_MEDIA = ("messages", "input", "documents", "query")
"""Fields that may hold media, in any dialect."""
_PASSED_ON = (b"content-type", b"content-disposition")
_HELD_BYTES = 1024 * 1024
"""A whole answer up to this is sent when it has come whole, so that a fault still has a status; a larger one as it comes."""


def pass_through(path: str) -> Callable[[Gateway, Client, CallRecord, Grant], Any]:
    """The handler of one passed-through path."""

    remembers: Remembers = refuse_conversation
    if path in OF_PATH:
        remembers = remember_response if path == RESPONSES else partial(remember, OF_PATH[path])

    async def handle(gateway: Gateway, client: Client, record: CallRecord, grant: Grant) -> None:
        body, terms = await client.body(gateway.settings.max_body_bytes), grant.principal.terms
        content_type = client.header(b"content-type") or b"application/json"
        remembering, size = None, len(body)
        if content_type.lower().startswith(b"multipart/form-data"):
            call = _form_call(record, path, Form(content_type, body), terms)
            await check_model(gateway, terms, call.model)
            fields, size = {"model": call.model}, 0  # a recording is not measured in tokens
        else:
            fields = parse_object(body, gateway.settings.caps.max_weight_per_mib, walked=_HOLD_MEDIA)
            if len(body) > LONG_BODY_BYTES:
                await others_first()
            remembering = remembers(gateway, client, record, grant, fields)
            fill(terms, path, fields, system=remembering is None)
            await check_model(gateway, terms, model_of(fields))  # an unknown model's body is not looked through
            call = _json_call(gateway, client, record, path, fields)
            if remembering is not None and fields.get("messages"):
                checks.check_messages(fields["messages"], gateway.settings.caps)
        if len(body) > LONG_BODY_BYTES:
            await others_first()
        del body  # nothing of a long request must stay in memory for as long as its answer takes
        told: Told = remembering or client
        with told:
            if remembering is not None:
                size = await recall(gateway, remembering, grant, path, fields, size)
            admit(gateway, client, grant, path, size, fields)
            if record.stream and path in TO_EVENTS:
                client.expect_stream()
            opening = gateway.relay.open(call) if remembering is None else remembering.open(gateway.relay.open, call)
            answering = _answer(gateway, told, opening, path)
            del fields, call  # nor its fields or its form
            await answering

    return handle


async def _answer(gateway: Gateway, told: Told, opened: Awaitable[Answer], path: str) -> None:
    with await opened as answer:
        await _pass_on(gateway, told, answer, path)


async def _pass_on(gateway: Gateway, client: Told, answer: Answer, path: str) -> None:
    exchange = answer.exchange
    status, headers = exchange.status, [pair for pair in exchange.headers if pair[0] in _PASSED_ON]
    content_type = (exchange.header(b"content-type") or b"").lower()
    if answer.retell is not None:
        await client.respond(200, JSON, (await answer.whole()).body)
        return
    decoder: StreamDecoder
    streams = answer.decoder is not None and exchange.headers is not DOCUMENT  # whatever their type is called
    if streams or content_type.startswith(b"text/event-stream"):
        decoder = answer.decoder or PassthroughStream(path)  # events of audio, which nobody expected
        if answer.assembly is not None:
            await respond_assembled(gateway, client, answer, decoder, answer.assembly)
            return
        await client.start_stream()
        client.number_by(lambda: decoder.next_number)
    else:
        decoder = RawStream()
        if content_type.startswith(b"application/json"):
            raw = await answer.read(_HELD_BYTES)
            if raw is not None:
                usage = answer.record.usage
                usage.take(usage_in(raw))
                usage.settle(whole=True)
                await client.respond(status, headers, raw)
                return
            decoder = PassedJson()
        await client.start_stream(status, headers)
    await answer.pump(decoder, client, client_stall_s=gateway.settings.client_stall_s)
    await client.end_stream()


def _json_call(gateway: Gateway, client: Client, record: CallRecord, path: str, fields: dict[str, Any]) -> Call:
    model = model_of(fields)
    record.model = model or "default"
    checks.check_passed(fields, gateway.settings.caps)
    if path == RESPONSES:
        checks.check_background(fields)
    for name in _HOLD_MEDIA:
        check_sources(name, fields.get(name), gateway.settings.caps)
    record.stream = bool(fields.get("stream"))
    headers = client.answer_headers if path == RESPONSES else None
    return Call(path, model, fields, record.stream, record=record, answer_headers=headers)


def _form_call(record: CallRecord, path: str, form: Form, terms: Terms) -> Call:
    record.model = form.model or "default"
    model = model_of_form(terms, form.model)
    record.model = model or "default"
    return Call(path, model, {}, form=form, record=record)
