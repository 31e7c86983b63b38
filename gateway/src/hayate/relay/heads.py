"""What the head of an engine's answer decides, before ours is sent: what an error answer means,
and whether what follows is what was asked for.
"""

from __future__ import annotations

import math
import time
from email.utils import parsedate_to_datetime

from hayate.fleet.deployment import Deployment
from hayate.upstream.bodies import BLANKS
from hayate.upstream.exchange import Exchange
from hayate.wire.http1 import Headers, header
from hayate.wire.replies import (
    EMPTY,
    REDIRECTS,
    USUAL_EVENTS,
    ToEvents,
    as_events,
    begins_document,
    checked,
    may_be_events,
    no_events,
    redirected,
)
from hayate.wire.upstream_request import UpstreamRequest

MAX_ERROR_BYTES = 64 * 1024
MAX_RETRY_AFTER_S = 86400.0
_EVENTS = [(b"content-type", b"text/event-stream")]
DOCUMENT = [(b"content-type", b"application/json")]
"""The headers of a whole answer that came in place of a stream, for a caller who wants a whole one."""


def sends_events(exchange: Exchange) -> bool:
    """Whether the body's type leaves no doubt that it is events."""
    content_type = header(exchange.headers, b"content-type")
    return content_type in USUAL_EVENTS or may_be_events(content_type)


async def settle(
    exchange: Exchange, request: UpstreamRequest, deployment: Deployment, to_events: ToEvents | None
) -> None:
    """Returns when the body can be taken as what `request` asked for. Raises GatewayError when it is something else.

    A document in place of a stream is read to its end, and replaced with the events that it amounts to, if there is
    `to_events`.
    """
    silence_s = deployment.spec.timeouts.silence_s
    status = exchange.status
    if status >= 400:
        retry_s = retry_after_s(exchange.headers, time.time())
        raw = await exchange.read_held(MAX_ERROR_BYTES, silence_s=silence_s)
        if raw is None:
            raw = (await exchange.peek(silence_s=silence_s))[:MAX_ERROR_BYTES]
        raise deployment.backend.error(status, deployment.spec.without_key(raw), retry_after_s=retry_s)
    if status in REDIRECTS:
        raise redirected(status, exchange.header(b"location"))
    if request.streams and status in EMPTY:
        raise no_events(b"")
    if not request.streams or sends_events(exchange):
        return
    start = await exchange.peek(silence_s=deployment.first_byte_limit[0])
    if not begins_document(start.lstrip(BLANKS)):
        return
    raw = await exchange.read(silence_s=silence_s)
    if deployment.backend.lines_are_documents and not raw.lstrip(BLANKS).startswith(b"<"):
        exchange.replace(raw, _EVENTS)
    elif to_events is None:
        exchange.replace(checked(raw), DOCUMENT)
    else:
        exchange.replace(as_events(raw, to_events), _EVENTS)


def retry_after_s(headers: Headers, now: float) -> float | None:
    """When an engine wants to be asked again: `retry-after-ms`, or Retry-After in seconds or as a date.

    None where nothing can be read. `now` is the wall's time, for an engine that tells no time of its own.
    """
    in_ms = _number(header(headers, b"retry-after-ms"))
    if in_ms is not None:
        return _bounded(in_ms / 1000)
    field = header(headers, b"retry-after")
    seconds = _number(field)
    if seconds is not None:
        return _bounded(seconds)
    then = _date(field)
    return None if then is None else _bounded(then - (_date(header(headers, b"date")) or now))


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _number(field: bytes | None) -> float | None:
    try:
        number = float(field or b"nan")
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _date(field: bytes | None) -> float | None:
    if not field or len(field) > 64:
        return None
    try:
        return parsedate_to_datetime(field.decode("latin-1")).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None
