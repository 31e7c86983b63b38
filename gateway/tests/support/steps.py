"""An engine in step with its client: it sends its next token when the test has seen the one before, so no clock is needed to show
that nobody held one back.
"""

from __future__ import annotations

import asyncio

from tests.support.engine_script import SSE, Chat, Exchange, Request, Step, body, end, head
from tests.support.scene import CHAT_PATH


class Steps:
    """An engine that sends its next token when it is told to: what arrives before was held by nobody."""

    def __init__(self, count: int) -> None:
        self.frames = Chat([f"{number} " for number in range(count)], role_first=False).frames(
            Request(path=CHAT_PATH, body=b"{}")
        )
        self._tokens = asyncio.Semaphore(0)

    def __call__(self, _: Request) -> list[Step]:
        steps: list[Step] = [head(headers=SSE)]
        for frame in self.frames:
            steps += [self._wait, body(frame)]
        return [*steps, end]

    async def _wait(self, _: Exchange) -> None:
        await self._tokens.acquire()

    def send_next(self) -> None:
        self._tokens.release()
