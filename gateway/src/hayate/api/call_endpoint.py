"""What every relayed endpoint does around its own part: who is it, may they, read the body, tell errors, keep the record.

Our own server calls `serve` with the client's connection; any other server calls the endpoint as the raw ASGI application it is
too. FastAPI's dependency injection and response classes cost more than the relaying.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Receive, Scope, Send

from hayate.access.authenticator import INCORRECT, Authenticator
from hayate.downstream.asgi_stream import AsgiStream
from hayate.downstream.client import Client
from hayate.downstream.request_id import usable_id
from hayate.downstream.stream import ClientGone, ClientStream
from hayate.errors import CLIENT_CLOSED, GatewayError, NotAllowed, NotAuthenticated, RateLimited, shutting_down
from hayate.policy.ended_streams import EndedStreams
from hayate.policy.limits import Allowance, RateLimit
from hayate.relay.relay import Relay
from hayate.relay.ticker import Ticker
from hayate.telemetry.calls import CallRecord, Telemetry
from hayate.wire.caps import Caps
from hayate.wire.error_bodies import OPENAI, Dialect, error_headers, language_of
from hayate.wire.http1 import Fields, Headers


@dataclass(slots=True)
class Gateway:
    """What the endpoints share; built in `app`'s lifespan, read from the request's state."""

    relay: Relay
    auth: Authenticator
    admin: Authenticator
    telemetry: Telemetry
    ticker: Ticker
    caps: Caps = field(default_factory=Caps)
    max_body_bytes: int = 10 * 1024 * 1024
    heartbeat_s: float = 15.0
    client_stall_s: float = 120.0
    requests_per_minute: int | None = None
    burst: int | None = None
    reload: Callable[[], Awaitable[Any]] | None = None
    limits: dict[str, RateLimit] = field(default_factory=dict)
    serves_half_closed: bool = False
    ended_streams: EndedStreams = field(default_factory=EndedStreams)
    _prefix: str = field(default_factory=lambda: os.urandom(6).hex())
    _count: int = 0
    _given_ids: set[bytes] = field(default_factory=set)

    def new_id(self) -> str:
        """Unique over gateways and restarts: engines take it as the call's id, and mix up two calls with one id."""
        self._count += 1
        return f"{self._prefix}{self._count:08x}"

    def upstream_id(self, given: bytes) -> bytes:
        """What the engine is told of a call whose id its caller chose: that id, unless a call under way has it already."""
        if given in self._given_ids:
            return b"%b-%b" % (given, self.new_id().encode())
        self._given_ids.add(given)
        return given

    def release_id(self, upstream_id: bytes) -> None:
        """The call has ended."""
        self._given_ids.discard(upstream_id)

    def caller(self, headers: Headers, fields: Fields | None = None) -> str:
        """The name of the caller's key, for logs. Raises NotAuthenticated, which tells the operator's key from none; NotAllowed."""
        try:
            return self.auth.check(headers, fields)
        except NotAuthenticated:
            if not _holds_key(self.admin, headers):
                raise
            raise NotAuthenticated(
                f"{INCORRECT}: this is the operator's key, for /admin only. Calls take the callers' key: "
                "HAYATE_API_KEY, or what `hayate key` shows.",
                "これは管理者用（/admin専用）のキーです。呼び出しには HAYATE_API_KEY の値、"
                "または `hayate key` で表示されるAPIキーを使ってください。",
            ) from None

    def operator(self, headers: Headers) -> None:
        """Raises NotAuthenticated, which says what key is needed."""
        try:
            self.admin.check(headers)
        except NotAuthenticated as error:
            if not _holds_key(self.auth, headers):
                raise NotAuthenticated(
                    f"{error.english} /admin takes the operator's key: HAYATE_ADMIN_KEY, or admin_key in the data folder.",
                    f"{error.japanese}/admin には管理者用のキー（HAYATE_ADMIN_KEY の値、"
                    f"またはデータフォルダーの admin_key）を使ってください。",
                ) from None
            raise NotAuthenticated(
                f"{INCORRECT}: this is the callers' key. /admin takes the operator's: HAYATE_ADMIN_KEY, "
                "or admin_key in the data folder.",
                "これは呼び出し用のAPIキーです。/admin には管理者用のキー（HAYATE_ADMIN_KEY の値、"
                "またはデータフォルダーの admin_key）を使ってください。",
            ) from None

    def knows(self, headers: Headers) -> bool:
        """Whether the request carries either key."""
        return _holds_key(self.auth, headers) or _holds_key(self.admin, headers)

    def allowance(self, key: str, now: float) -> Allowance | None:
        """Counts a request against its key's limit; None when there is none."""
        if self.requests_per_minute is None:
            return None
        limit = self.limits.get(key)
        if limit is None:
            limit = self.limits[key] = RateLimit(self.requests_per_minute, self.burst)
        return limit.take(now)


def _holds_key(auth: Authenticator, headers: Headers) -> bool:
    try:
        auth.check(headers)
    except (NotAuthenticated, NotAllowed):
        return False
    return True


Handle = Callable[[Gateway, Client, CallRecord], Awaitable[None]]


class RelayEndpoint:
    """One relayed path: `handle` is its own part."""

    def __init__(self, name: str, handle: Handle, dialect: Dialect = OPENAI) -> None:
        self.name = name
        self._handle = handle
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one call through ASGI."""
        await self.serve(scope["state"]["gateway"], AsgiStream(scope, receive, send))

    async def serve(self, gateway: Gateway, stream: ClientStream) -> None:
        """Serves one call."""
        now = gateway.relay.now
        given = usable_id(stream.fields.get(b"x-request-id"))
        if given is None:
            name = gateway.new_id()
            stream.answer_id = upstream_id = name.encode()
        else:
            name, stream.answer_id, upstream_id = given.decode("ascii"), given, gateway.upstream_id(given)
        record = CallRecord(name, self.name, now(), upstream_id)
        client = Client(
            stream, gateway.ticker, gateway.heartbeat_s, record, serves_half_closed=gateway.serves_half_closed
        )
        client.answer_headers.append((b"x-request-id", stream.answer_id))
        try:
            record.key = gateway.caller(stream.headers, stream.fields)
            if gateway.requests_per_minute is not None:
                _count_request(gateway, client, record.key, now())
            await self._handle(gateway, client, record)
            record.status = record.status or 200
        except GatewayError as error:
            await self._tell(client, record, error)
        except ClientGone:
            record.status = CLIENT_CLOSED
        except asyncio.CancelledError:
            if client.gone:
                record.status = 200 if client.answered else CLIENT_CLOSED
                return
            self._break_off(client, record)
            raise
        finally:
            if not record.status:
                record.status, record.error = 500, "server_error"
            if given is not None:
                gateway.release_id(record.upstream_id)
            gateway.telemetry.finish(record, now())

    def _break_off(self, client: Client, record: CallRecord) -> None:
        """The drain's time is over: the stream that still runs is told so."""
        error = shutting_down()
        record.status, record.error = error.status, error.code
        if client.started and client.events:
            client.write(self._dialect.frame(error, language_of(client.headers)))

    async def _tell(self, client: Client, record: CallRecord, error: GatewayError) -> None:
        """The error in the caller's dialect: a status before the answer has begun, an event after, a cut when neither fits."""
        language = language_of(client.headers)
        record.status, record.error = self._dialect.status(error), error.code or error.type
        await client.settled()
        if not client.started:
            await client.respond(record.status, error_headers(error), self._dialect.body(error, language))
        elif client.events:
            client.write(self._dialect.frame(error, language))
            await client.end_stream()
        else:
            client.cut()


def _count_request(gateway: Gateway, client: Client, key: str, now: float) -> None:
    allowance = gateway.allowance(key, now)
    if allowance is None:
        return
    client.answer_headers += limit_headers(allowance)
    if allowance.retry_after_s:
        raise RateLimited(
            f"This key may make {allowance.limit} requests a minute. Try again in {allowance.retry_after_s:.1f} s.",
            f"このキーは1分間に{allowance.limit}回までです。{allowance.retry_after_s:.1f}秒後にお試しください。",
            retry_after_s=allowance.retry_after_s,
        )


def limit_headers(allowance: Allowance) -> Headers:
    """OpenAI's `x-ratelimit-*`; the reset is a duration such as `1500ms`."""
    return [
        (b"x-ratelimit-limit-requests", b"%d" % allowance.limit),
        (b"x-ratelimit-remaining-requests", b"%d" % allowance.remaining),
        (b"x-ratelimit-reset-requests", b"%dms" % math.ceil(allowance.reset_s * 1000)),
    ]
