"""GET /admin/engines/{name}/log: what an engine has written that the gateway runs, and what it goes on to write.

Its end comes as text. A log that is followed comes as events, a line each, with pings between them: a client that has left is
noticed only by writing to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from hayate.api.bodies import whole_of
from hayate.api.engines import NAME, deployment_named
from hayate.api.gateway import Gateway
from hayate.api.operations import EVENTS, TEXT, described
from hayate.api.streamed import Streamed
from hayate.engines.refusals import NotSwitched, UnknownEngine
from hayate.engines.tail import Lines, Tail
from hayate.errors import InvalidRequest, NotSupported, StoreGone
from hayate.language import reason_of
from hayate.wire import sse

LINES: Final = 100
MAX_LINES: Final = 10_000
MAX_SILENCE_S: Final = 15.0
"""However seldom streams are pinged: who follows the log takes a long silence for the gateway's end."""
LOOK_S: Final = 0.25
"""How often a log that is followed is looked at."""
PLAIN: Final = "text/plain"
_YES: Final = ("", "true", "1")
_NO: Final = ("false", "0")


@described(
    "The end of an engine's log; followed, a line each event.",
    answers={200: {PLAIN: TEXT, EVENTS: TEXT}},
    errors=(UnknownEngine, NotSwitched, NotSupported, StoreGone),
    path=NAME,
    query={
        "lines": {"type": "integer", "minimum": 1, "maximum": MAX_LINES, "default": LINES},
        "follow": {"type": "boolean", "default": False, "description": "Whether it goes on as a stream."},
    },
)
async def show_log(request: Request, gateway: Gateway) -> Response:
    """GET /admin/engines/{name}/log?lines=100&follow: for the operator alone, since engines may write what they are asked."""
    path = _log_of(deployment_named(request.path_params["engine"], gateway), gateway)
    lines, follows = whole_of(request, "lines", LINES, MAX_LINES), _follows(request)
    try:
        tail = await asyncio.to_thread(Tail, path, lines)
    except OSError as error:
        raise _unreadable(error) from None
    if follows:
        return Streamed(_followed(tail, gateway), EVENTS, over=tail.close)
    return Streamed(_read(tail), PLAIN, over=tail.close)


def _log_of(name: str, gateway: Gateway) -> Path:
    """The file that it is in. Raises UnknownEngine, NotSwitched, NotSupported."""
    log = gateway.engines.resident(name).engine.log
    if log is None:
        raise NotSupported(
            f"The gateway does not run the engine of {name}, and has no log of it: look where it was started.",
            f"{name}のエンジンはゲートウェイが起動したものではないため、ログはありません。起動した場所で確認してください。",
        )
    return log


def _follows(request: Request) -> bool:
    said = request.query_params.get("follow", "false").lower()
    if said not in _YES + _NO:
        raise InvalidRequest(
            "'follow' must be true or false.", "'follow' はtrueかfalseにしてください。", param="follow"
        )
    return said in _YES


def _unreadable(error: OSError) -> StoreGone:
    why = reason_of(error)
    return StoreGone(f"The log can't be read: {why.en}.", f"ログを読み取れません（{why.ja}）。")


async def _read(tail: Tail) -> AsyncGenerator[bytes]:
    """What is there, a piece at a time."""
    try:
        while data := await asyncio.to_thread(tail.read):
            yield data
    except OSError as error:
        raise _unreadable(error) from None


async def _followed(tail: Tail, gateway: Gateway) -> AsyncGenerator[bytes]:
    """What is there, and what is written from then on, until the gateway ends."""
    lines, told_at = Lines(), monotonic()
    try:
        yield sse.PING
        while not gateway.ending.is_set():
            if data := await asyncio.to_thread(tail.read):
                if found := lines.feed(data):
                    yield "".join(f"data: {line}\n\n" for line in found).encode()
                    told_at = monotonic()
                continue
            if monotonic() - told_at >= min(gateway.settings.heartbeat_s, MAX_SILENCE_S):
                yield sse.PING
                told_at = monotonic()
            with suppress(TimeoutError):
                await asyncio.wait_for(gateway.ending.wait(), LOOK_S)
    except OSError as error:
        raise _unreadable(error) from None
