"""The pump: an engine's bytes to a client, in the callback in which they arrive.

Only the ends (finished, failed, cancelled) come back to the task that awaits `run`; nothing is scheduled per chunk. The
ticker watches the first byte, the silence between tokens, the total, and a client that does not read. Comments an
engine sends to keep the line warm do not count as progress: a frozen engine may still send them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from hayate.errors import GatewayError
from hayate.policy.progress import Progress
from hayate.relay.watch import Watch
from hayate.upstream.bodies import silent, took_too_long
from hayate.upstream.exchange import Exchange
from hayate.wire.decoder import StreamDecoder
from hayate.wire.faults import UNREADABLE, unreadable
from hayate.wire.plain_event import Reader, Shape

LINGER_S = 2.0
"""How long an engine may take to close an answer that is complete, before its connection is given up."""

_COLON = ord(":")


Look = Callable[[float], None]
"""What is done now and then, at a time (`time.monotonic()`)."""


class Sink(Protocol):
    """Where a stream goes. Writing never blocks; a full sink calls the pump's `pause`, a drained one `resume`."""

    def writer(self) -> Callable[[bytes], None]:
        """What sends bytes to the client now; asked for once per stream."""

    def raw_writer(self) -> Callable[[bytes], None] | None:
        """What sends chunks that are framed already, where the client's framing is the engine's; else None."""

    def hold(self) -> None:
        """What is written from now on may wait for `flush`, which follows soon: one system call instead of two."""

    def flush(self) -> None:
        """Sends what was held, in one system call."""

    def attach(self, pump: Pump | None) -> Look | None:
        """Whom to tell about being full and drained. What else wants a look whenever the pump has one."""

    def give_up(self) -> None:
        """The client has not read for too long: its connection is cut."""


class Pump:
    """One streamed answer on its way."""

    __slots__ = (
        "_beside",
        "_counted",
        "_decoder",
        "_done",
        "_exchange",
        "_fast",
        "_finished_at",
        "_last",
        "_paused_at",
        "_progress_seen",
        "_reader",
        "_reads",
        "_sink",
        "_watch",
        "_write",
        "first_delta_at",
        "listening",
    )

    def __init__(self, exchange: Exchange, decoder: StreamDecoder, sink: Sink, watch: Watch) -> None:
        self._exchange = exchange
        self._decoder = decoder
        self._sink = sink
        self._beside: Look | None = None
        self._watch = watch
        self._reader: Reader
        self._write: Callable[[bytes], None]
        self._reads = 0
        self._progress_seen = 0
        self._last = 0.0
        self._paused_at = 0.0
        self._finished_at = 0.0
        self._fast = False
        """Whether the fast path is open."""
        self._counted = False
        """Whether what passed is among what the decoder has counted: once the stream is over."""
        self._done: asyncio.Future[None] = watch.ticker.loop.create_future()
        self.first_delta_at = 0.0
        self.listening: Callable[[Reader], Reader] | None = None
        """What a sink puts between this and who tells plain events from others, when it is attached, to hear of their shapes."""

    async def run(self) -> None:
        """Returns when the answer is complete. Raises GatewayError when it broke; what came before has been written."""
        self._beside = self._sink.attach(self)
        self._write, raw_write = self._sink.writer(), self._sink.raw_writer()
        self._watch.ticker.add(self)
        reader = self._decoder.plain_reader
        if raw_write is not None and reader is not None:
            self._reader = reader if self.listening is None else self.listening(reader)
            self._fast = True
            self._exchange.open_fast_path(self, raw_write)
        self._exchange.headers = []  # whoever wanted them has read them; a stream may stay open for long
        try:
            self._exchange.stream_to(self)
            if self._paused_at:  # the client was behind before anything came
                self._exchange.pause()
            self._sink.flush()
            await self._done
        finally:
            self._beside = None
            self._sink.attach(None)
            del self._write  # nothing is written any more, and what a sink writes with may hold this
            self._watch.ticker.discard(self)
            usage = self._decoder.usage
            usage.seen(self._exchange.passed)
            self._counted = True
            usage.settle(whole=self.complete)

    @property
    def passed(self) -> int:
        """How many events took the fast path, past `Sink.writer`."""
        return self._exchange.passed

    @property
    def made(self) -> int:
        """How many tokens of the answer have come, as far as is known."""
        return self._decoder.usage.made(0 if self._counted else self.passed)

    @property
    def progress(self) -> Progress:
        """That of the replica which makes the answer."""
        return self._watch.progress

    @property
    def complete(self) -> bool:
        """Whether all that the answer says has been written: what is left is the end of its framing."""
        ended = self._done.done() and not self._done.cancelled() and self._done.exception() is None
        return ended or self._finished_at > 0

    @property
    def finished(self) -> bool:
        """What the decoder says: among what is being written, or before it, is the event that ends the answer."""
        return self._decoder.finished

    def close_fast_path(self) -> None:
        """Everything is read from here on: what follows is no plain text any more, or the client's connection is gone,
        and nothing may be written to it from this very moment.
        """
        self._fast = False
        self._exchange.close_fast_path()

    # What the exchange calls.

    @property
    def between_events(self) -> bool:
        """What the decoder says: until it is so, no chunk is an event of its own."""
        return self._reader.between_events

    def plain_shape(self, event: bytes) -> Shape | None:
        """What the decoder says; the fast path asks where an event differs from the one before, and takes the first text too."""
        shape = self._reader.plain_shape(event)
        if shape is not None and not self.first_delta_at:
            self.first_delta_at = monotonic()
        return shape

    def body_received(self, data: bytes) -> None:
        """Bytes of the answer that did not take the fast path. What was made of them before a failure still goes out."""
        if self._done.done():
            return
        decoder = self._decoder
        if data[0] != _COLON:
            self._reads += 1
        try:
            out = decoder.feed(data)
            if out:
                if self._exchange.whole:  # `body_ended` follows in this very callback
                    self._sink.hold()
                self._write(out)
        except GatewayError as error:
            self._finish(error)
            return
        except UNREADABLE:  # an engine may answer anything
            self._finish(unreadable())
            return
        if not self.first_delta_at and decoder.has_output:
            self.first_delta_at = monotonic()
        if decoder.failure is not None:
            self._finish(decoder.failure)
        elif decoder.finished:
            self._finished_at = monotonic()
        if self._fast and (decoder.finish_reason is not None or decoder.finished):
            self.close_fast_path()

    def body_ended(self) -> None:
        """The engine's answer is over."""
        if self._done.done():
            return
        try:
            out = self._decoder.end()
            if out:
                self._write(out)
        except UNREADABLE:
            self._finish(unreadable())
        else:
            self._finish(self._decoder.failure)

    def body_failed(self, error: GatewayError) -> None:
        """The engine's connection broke. After a complete answer that is no loss."""
        self._finish(None if self._decoder.finished else error)

    # What the sink calls.

    def pause(self) -> None:
        """The client is behind: the engine is read no further, and its silence is not held against it."""
        self._paused_at = monotonic()
        self._exchange.pause()

    def resume(self) -> None:
        """The client has caught up."""
        self._paused_at = 0.0
        self._last = self._last and monotonic()  # the silence was ours, not the engine's
        self._exchange.resume()

    def _finish(self, error: GatewayError | None) -> None:
        if self._done.done():
            return
        if self._fast:
            self.close_fast_path()
        if error is None:
            self._done.set_result(None)
        else:
            self._release()
            self._done.set_exception(error)

    def _release(self) -> None:
        """What the decoder holds back goes out: nothing will come that it could be joined with."""
        out = self._decoder.release()
        if out:
            self._write(out)

    # What the ticker calls.

    def tick(self, now: float) -> None:
        """Looks at the limits, the one that is running first. When something last came is known to a tick: no clock per chunk."""
        watch, limits = self._watch, self._watch.timeouts
        tokens = self.made
        # Whatever comes adds to it: what an engine has told may be ahead of what has come.
        progress = self._reads + self.passed + self._decoder.usage.completion_tokens
        if watch.progress.gaps is not None and not self._decoder.finished:
            watch.paced(tokens, now, paused=self._paused_at > 0)
        if progress != self._progress_seen:
            self._progress_seen = progress
            self._last = now
            watch.progress.moved(now)
            if watch.place is not None:
                watch.place.made(tokens)
        else:
            self._release()
        if self._finished_at:
            if now - self._finished_at > LINGER_S:
                self._finish(None)
        elif self._paused_at:
            if now - self._paused_at > watch.client_stall_s:
                self._sink.give_up()
        elif not self._last:
            if now - watch.started > limits.first_byte_s:
                self._finish(silent("first_byte_s", limits.first_byte_s))
        elif now - self._last > limits.silence_s:
            self._finish(silent("silence_s", limits.silence_s))
        if limits.total_s is not None and now - watch.started > limits.total_s:
            self._finish(took_too_long("total_s", limits.total_s))
        if self._beside is not None:
            self._beside(now)
