"""Who takes an engine's answer, and those that collect it: all of it, as much as may be held, or its first bytes.

Each of those has a future for whoever waits. `silence_s` is the time between two pieces, and any byte starts it anew,
so that an engine which sends blanks while it works is not cut off; without it, whoever waits limits the wait as a
whole.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from hayate.errors import GatewayError
from hayate.upstream_errors import AnswerTooLarge, UpstreamTimeout

MAX_BODY_BYTES = 64 * 1024 * 1024
"""The most that is collected of an answer which has to be looked at as a whole."""
BLANKS = b" \t\r\n"


class Receiver(Protocol):
    """Who takes an answer's body. All three are called from the event loop's callbacks and must not block."""

    def body_received(self, data: bytes) -> None:
        """Bytes of the body, as they arrived."""

    def body_ended(self) -> None:
        """The body is whole; nothing is called after this."""

    def body_failed(self, error: GatewayError) -> None:
        """The body will not be whole."""


class Collected:
    """Keeps what comes, until the end or, where `hold_bytes` is set, until there is more than may be held."""

    __slots__ = (
        "_last",
        "_limit_bytes",
        "_loop",
        "_parts",
        "_silence_s",
        "_size",
        "_timer",
        "ended",
        "future",
        "hold_bytes",
    )

    def __init__(
        self, silence_s: float | None, *, hold_bytes: int | None = None, limit_bytes: int = MAX_BODY_BYTES
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._silence_s = silence_s or 0.0
        self._limit_bytes = limit_bytes
        self._parts: list[bytes] = []
        self._size = 0
        self._last = self._loop.time()
        self._timer = None if silence_s is None else self._loop.call_later(silence_s, self._look)
        self.hold_bytes = hold_bytes
        self.ended = False
        self.future: asyncio.Future[None] = self._loop.create_future()

    def take(self) -> bytes:
        """What has been collected. It is forgotten here."""
        parts, self._parts = self._parts, []
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        """Nobody waits any more: the timer would hold this for as long as its silence may last."""
        if self._timer is not None:
            self._timer.cancel()

    def body_received(self, data: bytes) -> None:
        """Keeps them, and wakes whoever waits once it is enough, or too much."""
        self._last = self._loop.time()
        self._parts.append(data)
        self._size += len(data)
        if self.future.done():
            return
        if self.is_enough(data):
            self.future.set_result(None)
        elif self._size > self._limit_bytes:
            self.future.set_exception(too_large(self._limit_bytes))

    def is_enough(self, data: bytes) -> bool:
        """Whether whoever waits need not wait for more than has come with `data`."""
        return self.hold_bytes is not None and self._size > self.hold_bytes

    def body_ended(self) -> None:
        """Wakes whoever waits: there is no more to come."""
        self.ended = True
        if not self.future.done():
            self.future.set_result(None)

    def body_failed(self, error: GatewayError) -> None:
        """Whoever waits is told why, unless what has come was enough."""
        if not self.future.done():
            self.future.set_exception(error)

    def _look(self) -> None:
        """The timer: has nothing come for too long?"""
        left_s = self._last + self._silence_s - self._loop.time()
        if left_s > 0:
            self._timer = self._loop.call_later(left_s, self._look)
        else:
            self.body_failed(stopped(self._silence_s))


class FirstBytes(Collected):
    """Waits for the first byte that is no blank."""

    __slots__ = ()

    def is_enough(self, data: bytes) -> bool:
        """Whether `data` holds one: engines send blanks to keep a connection warm."""
        return bool(data.strip(BLANKS))


def too_large(limit_bytes: int) -> AnswerTooLarge:
    """For a whole answer that is larger than what is collected."""
    return AnswerTooLarge(
        f"The engine's answer is over {limit_bytes} bytes: ask for it as a stream.",
        f"エンジンの回答が{limit_bytes}バイトを超えました。ストリーム（stream: true）でお試しください。",
    )


def stopped(limit_s: float) -> UpstreamTimeout:
    """For an answer that has begun and does not go on."""
    return UpstreamTimeout(
        f"The engine's answer stopped: nothing more came for {limit_s:g} s (timeouts.silence_s).",
        f"エンジンの回答が途中で止まり、{limit_s:g}秒間続きが届きませんでした（timeouts.silence_s）。",
    )


def took_too_long(limit: str, limit_s: float) -> UpstreamTimeout:
    """For an answer that is not whole within the setting `limit`."""
    return UpstreamTimeout(
        f"The answer took longer than {limit_s:g} s in all (timeouts.{limit}).",
        f"回答にかかった時間が{limit_s:g}秒を超えました（timeouts.{limit}）。",
    )


def silent(name: str, limit_s: float) -> UpstreamTimeout:
    """For a stream of which nothing more came within the setting `name`."""
    return UpstreamTimeout(
        f"The engine sent nothing for {limit_s:g} s (timeouts.{name}). It may be stuck or overloaded.",
        f"エンジンから{limit_s:g}秒間何も届きませんでした（timeouts.{name}）。停止しているか、過負荷の可能性があります。",
    )
