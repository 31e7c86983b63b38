"""One call at a time goes on with a conversation; the others wait, in the order in which they came.

What nobody holds takes no memory. Who is cancelled while it waits is out at once.
"""

from __future__ import annotations

import asyncio
from collections import deque

from hayate.errors import ConversationLocked


def key_of(project: str, conversation_id: str) -> str:
    """By project: whoever names another's conversation learns nothing of it, and holds up nobody."""
    return f"{project}\n{conversation_id}"


class Locks:
    """By conversation. One per gateway."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        """Who waits for each that is held."""

    def try_take(self, key: str) -> bool:
        """Takes it, if nobody has it."""
        if key in self._waiting:
            return False
        self._waiting[key] = deque()
        return True

    async def take(self, key: str, wait_s: float) -> None:
        """Takes it, once whoever came before has given it back. Raises ConversationLocked after `wait_s`, at once if that is 0."""
        if self.try_take(key):
            return
        if wait_s <= 0:
            raise ConversationLocked(
                "Another call goes on with this conversation, and 'conversation.wait' is false. Try again when that has ended.",
                "この会話は別の呼び出しが使用中です（'conversation.wait' がfalse）。終わってからもう一度お試しください。",
                param="conversation",
                retry_after_s=1.0,
            )
        turn = asyncio.get_running_loop().create_future()
        self._waiting[key].append(turn)
        try:
            async with asyncio.timeout(wait_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # it was given at this very moment
                self.give_back(key)
            if isinstance(error, TimeoutError):
                raise _too_long(wait_s) from None
            raise

    def give_back(self, key: str) -> None:
        """Whoever is next has it."""
        waiting = self._waiting[key]
        while waiting:
            turn = waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[key]


def _too_long(wait_s: float) -> ConversationLocked:
    return ConversationLocked(
        f"Another call goes on with this conversation, and did not end within {wait_s:g} s (history.wait_s). "
        "Try again when it has.",
        f"この会話は別の呼び出しが使用中で、{wait_s:g}秒待っても終わりませんでした（history.wait_s）。"
        "その呼び出しが終わってからもう一度お試しください。",
        param="conversation",
        retry_after_s=5.0,
    )
