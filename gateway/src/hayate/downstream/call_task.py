"""The task that serves one call on its connection, and what becomes of the connection when that goes wrong."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from hayate.downstream.stream import ClientConnection, ClientStream, Endpoint, Serving
from hayate.errors import GatewayError, ShuttingDown

_log = logging.getLogger("uvicorn.error")


class DirectCall(ClientStream, Serving, Protocol):
    """Both roles of a call on a connection of ours."""

    disconnected: bool
    """Whether the client is gone."""


async def serve_call(endpoint: Endpoint, call: DirectCall, connection: ClientConnection) -> None:
    """Serves the call. A fault of ours is logged and answered; whatever is not whole at the end takes the connection with it."""
    try:
        await endpoint(call)
    except asyncio.CancelledError:  # the drain's time is over
        _break_off(call, connection, shutting_down())
    except BaseException as error:
        _log.error("Exception in a call", exc_info=error)
        failed = GatewayError("The gateway failed. Its log says why.", "ゲートウェイで障害が発生しました。")
        _break_off(call, connection, failed)
        if not isinstance(error, Exception):
            raise
    finally:
        if call.task is not None:
            connection.tasks.discard(call.task)
        if not call.response_complete and not call.disconnected:
            connection.close()


def _break_off(call: DirectCall, connection: ClientConnection, error: GatewayError) -> None:
    if call.response_started:
        connection.close()
    else:
        connection.turn_away(error)


def shutting_down() -> ShuttingDown:
    """For a call that the end of the drain breaks off."""
    return ShuttingDown(
        "The gateway is shutting down. Ask again.",
        "ゲートウェイが停止します。もう一度お試しください。",
        retry_after_s=1,
    )
