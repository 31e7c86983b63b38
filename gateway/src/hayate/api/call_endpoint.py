"""What every path that calls take does around its own part: identify, limit, handle, tell, record.

Our own server calls `serve` with the client's connection; any other server calls the endpoint as the raw ASGI
application it is too. FastAPI's dependency injection and response classes cost more than the relaying.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send

from hayate.access.authenticator import Authenticator
from hayate.access.grants import Grant
from hayate.access.principals import Principal
from hayate.api.counted import count
from hayate.api.gateway import Gateway
from hayate.api.in_flight import Running
from hayate.api.queueing import wanted_waits
from hayate.downstream.asgi_stream import AsgiStream
from hayate.downstream.call_task import shutting_down
from hayate.downstream.client import Client
from hayate.downstream.kept_client import KeptClient
from hayate.downstream.request_id import is_usable
from hayate.downstream.stream import ClientGone, ClientStream
from hayate.errors import CLIENT_CLOSED, GatewayError, RateLimited, let_go
from hayate.policy.waits import PLAIN
from hayate.settings import Recording
from hayate.telemetry.content import Content
from hayate.telemetry.record import CallRecord
from hayate.wire.error_bodies import OPENAI, Dialect, error_headers, language_of
from hayate.wire.http1 import Fields, Headers

Handle = Callable[[Gateway, Client, CallRecord, Grant], Awaitable[None]]
DAY_S = 86_400
CallGuard = Callable[[Authenticator, Headers, Fields], Principal]
"""A guard (`access.guards`) that finds out who it is: a call is always somebody's."""


class CallEndpoint:
    """One path that calls take: `handle` is its own part."""

    def __init__(self, name: str, handle: Handle, guard: CallGuard, dialect: Dialect = OPENAI) -> None:
        self.name = name
        self.dialect = dialect
        self._handle = handle
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one call through ASGI."""
        await self.serve(scope["state"]["gateway"], AsgiStream(scope, receive, send))

    async def serve(self, gateway: Gateway, stream: ClientStream) -> None:
        """One call, from its head to its record. Whatever its handler raises is told to the caller and recorded; what
        gets out of here is a fault of ours, or the cancellation that ends a drain.
        """
        now = gateway.relay.now
        # The call's name: the caller's own, if usable. The engine is told the same, unless another call there has it.
        given = stream.fields.get(b"x-request-id")
        if given is not None and is_usable(given):
            name, stream.answer_id, upstream_id = given.decode("ascii"), given, gateway.ids.take(given)
        else:
            given, name = None, gateway.ids.new()
            stream.answer_id = upstream_id = name.encode()
        record = CallRecord(name, self.name, now(), upstream_id)
        settings = gateway.settings
        client = Client(
            stream, gateway.ticker, settings.heartbeat_s, record, serves_half_closed=settings.serves_half_closed
        )
        client.answer_headers.append((b"x-request-id", stream.answer_id))
        running = gateway.in_flight.add(record, stream.task)
        grant: Grant | None = None
        try:
            if gateway.relay.turns.are_taken:
                await gateway.relay.turns.take()
            principal = self._guard(gateway.auth, stream.headers, stream.fields)
            client = _of(principal, client, record, settings.recording, stream.fields)
            grant = gateway.grants.grant(principal, settings.limits, settings.model_limits)
            if grant.counts:
                _enter(grant, client, record.started)
            await self._handle(gateway, client, record, grant)
            record.status = record.status or 200
        except GatewayError as error:
            let_go(error)
            await self._tell(client, record, error)
        except ClientGone:
            record.status = CLIENT_CLOSED
        except asyncio.CancelledError:
            if not await self._cancelled(client, running):
                raise
        finally:
            if not record.status:  # nobody above has told how it ended
                record.status, record.error = 500, "server_error"
            _settle(gateway, record, grant, named=given is not None)
            gateway.in_flight.remove(running)
            gateway.calls.add(record, now())

    async def _cancelled(self, client: Client, running: Running) -> bool:
        """Tells the client why its call was cancelled; false when the task itself is to end."""
        record = running.record
        # Three things cancel a call: its client left (`Client.client_gone`), somebody stopped it, or the drain's time is over.
        if client.gone:
            record.status = 200 if client.answered else CLIENT_CLOSED
            _heeded()
            return True
        if running.stopped is not None:
            _heeded()
            await self._tell(client, record, running.stopped)
            return True
        self._break_off(client, record)
        return False

    def _break_off(self, client: Client, record: CallRecord) -> None:
        """The drain's time is over: a stream of events that still runs is told so. What has not begun is answered by the server."""
        error = shutting_down()
        record.status, record.error = error.status, error.code
        if client.started and client.events:
            error.event_number = client.next_number()
            client.write(self.dialect.frame(error, language_of(client.headers)))

    async def _tell(self, client: Client, record: CallRecord, error: GatewayError) -> None:
        """The error in the caller's dialect: a status before the answer has begun, an event after, a cut when neither fits."""
        language = language_of(client.headers)
        record.status, record.error = self.dialect.status(error), error.code or error.type
        await client.settled()
        if not client.started:
            await client.respond(record.status, error_headers(error), self.dialect.body(error, language))
        elif client.events:
            error.event_number = client.next_number()
            client.write(self.dialect.frame(error, language))
            await client.end_stream()
        else:
            client.cut()


def _heeded() -> None:
    """A cancellation of ours goes no further: whoever runs this may set a limit of time again, which counts cancellations."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()


def _settle(gateway: Gateway, record: CallRecord, grant: Grant | None, *, named: bool) -> None:
    """What the call has used is known as well as it ever will be. `named`: its caller gave it its name, which is free again."""
    if named:
        gateway.ids.release(record.upstream_id)
    record.waits = PLAIN  # what told of its place holds the client, and that the record
    count(record, gateway.relay.estimates, gateway.relay.fleet)
    if grant is not None:
        # Taken: not refused before any engine was asked.
        taken = record.attempts > 0 or record.status < 400
        unseen = record.status == CLIENT_CLOSED and record.attempts > 0 and not record.usage.begun
        grant.end(record.usage, taken=taken, unseen=unseen)


def _of(principal: Principal, client: Client, record: CallRecord, recording: Recording, fields: Fields) -> Client:
    """The call is the principal's, who says how it waits, or its headers do; the client that serves it, which keeps what is said
    where that is asked for. Raises InvalidRequest.
    """
    record.key, record.project = principal.id, principal.project
    kept = recording.content.get(principal.id) if recording.content else None
    if kept is not None:
        record.content = Content(recording.max_content_bytes, kept.days * DAY_S)
        client = KeptClient(client, record.content)
    record.waits = wanted_waits(fields, principal.terms, client)
    return client


def _enter(grant: Grant, client: Client, now: float) -> None:
    try:
        grant.enter(now)
    except RateLimited:
        client.answer_headers += grant.headers()
        raise
