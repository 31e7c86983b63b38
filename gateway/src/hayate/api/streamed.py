"""An answer that is made while it is sent: a piece at a time, as fast as the client takes them, and cut where it can't go on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from hayate.errors import GatewayError
from hayate.telemetry.log import log_event


class Streamed(StreamingResponse):
    """Each piece is made when the one before it has been taken; a client that leaves ends that. An error can't be told any more
    once the answer has begun: it ends without its end, as that of a broken connection does, so that nobody takes it for whole.
    `name` is what a browser calls the file; None: it is none. `over` is called at the end, also where no piece was made.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes],
        media_type: str,
        name: str | None = None,
        over: Callable[[], None] | None = None,
    ) -> None:
        self._pieces = pieces
        self._over = over
        headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
        if name is not None:
            headers["content-disposition"] = f'attachment; filename="{name}"'
        super().__init__(pieces, headers=headers, media_type=media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the pieces; to a HEAD, none."""
        try:
            if scope["method"] == "HEAD":
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            else:
                await super().__call__(scope, receive, send)
        except GatewayError as error:
            log_event("answer_cut", path=scope["path"], reason=error.english)
        finally:
            await self._pieces.aclose()
            if self._over is not None:
                self._over()
