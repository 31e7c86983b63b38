"""The client's side of a call that goes on with a conversation: what the caller is told is gathered on its way, and the end of it
is withheld until the turn is kept.

It stands in the client's place from where the answer begins: heads, whole answers, streams and their ends. A stream passes
as to any client, plain text unread; only from the event that ends it on nothing is written before the store has it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from hayate.downstream.client import Client
from hayate.errors import GatewayError
from hayate.history.remembered import Remembered
from hayate.history.wanted import Engines
from hayate.relay.answer import Answer
from hayate.relay.call import Call
from hayate.relay.pump import Look, Pump
from hayate.upstream.bodies import MAX_BODY_BYTES, too_large
from hayate.wire.conversation_field import TELLS, TELLS_OMITTED
from hayate.wire.engine_json import TooDense, Unreadable, read, write
from hayate.wire.event_numbers import first_number
from hayate.wire.faults import UNREADABLE, unreadable
from hayate.wire.gathered import Gathered
from hayate.wire.glance import chat_in
from hayate.wire.http1 import Headers
from hayate.wire.retold_response import Retold

PAUSE_S: Final = 0.001
"""Between two pieces of work, for everybody else."""
_CHOICES: Final = "choices"
"""Of a chat's answer alone."""


class RememberingClient:
    """One per call. `retold`: puts a response into our words; None in any other dialect."""

    __slots__ = (
        "_begun",
        "_beside",
        "_client",
        "_ended",
        "_gathered",
        "_head",
        "_pump",
        "_retold",
        "_turn",
        "_whole",
        "flush",
        "give_up",
        "hold",
    )

    def __init__(self, client: Client, turn: Remembered, retold: Retold | None = None) -> None:
        self._client = client
        self._turn = turn
        self._begun = False
        """Whether an engine's answer has."""
        self._retold = retold
        self._pump: Pump | None = None
        self._beside: Look | None = None
        """The client's look."""
        self._gathered: Gathered | None = None
        """There while the answer is a stream of events."""
        self._ended = bytearray()
        """What waits for the turn to be kept: the event that ends the answer, and whatever follows it."""
        self._whole: bytearray | None = None
        """A whole answer that comes in pieces."""
        self._head: tuple[int, Headers] = (200, [])
        """Its head."""
        self.hold = client.hold
        self.flush = client.flush
        self.give_up = client.give_up

    def __enter__(self) -> None:
        """As with any client."""
        self._client.__enter__()

    def __exit__(self, kind: type[BaseException] | None = None, *_: object) -> None:
        """What came of an answer that was cut is kept; the conversation is free. An error before any answer names none, nor one
        that has not come to be.
        """
        if not self._begun or (kind is not None and self._turn.is_new):
            headers = self._client.answer_headers
            headers[:] = [pair for pair in headers if pair[0] not in (TELLS, TELLS_OMITTED)]
        try:
            self._turn.close(self._gathered)
        finally:
            self._pump = None  # which holds this as its sink
            self._client.__exit__()

    def tick(self, now: float) -> None:
        """The client's look, and one at what passes unread: nobody else does while it does."""
        if self._beside is not None:
            self._beside(now)
        if self._gathered is not None:
            self._gathered.settle()

    async def recall(self, fields: dict[str, Any], engines: Engines, size: int) -> None:
        """Waits for its turn, and puts what goes along into the request (`Remembered.recall`); a stream is pinged meanwhile."""
        turn, headers = self._turn, self._client.answer_headers
        if turn.is_named:
            headers.append((TELLS, turn.id.encode()))
        if fields.get("stream"):
            self._client.expect_stream()
        await turn.recall(fields, engines, size)
        self._tell_omitted()

    async def open(self, opening: Callable[[Call], Awaitable[Answer]], call: Call) -> Answer:
        """An engine's answer, which has begun; `opening` asks for it."""
        omitted = self._turn.omitted
        opened = await self._turn.open(opening, call)
        self._begun = True
        if self._turn.omitted != omitted:
            self._tell_omitted()
        return opened

    def told(self) -> dict[str, Any]:
        """What an event can say of the conversation, for readers who see no headers."""
        turn = self._turn
        return {"conversation": turn.id, "turns_omitted": turn.omitted}

    # What answers call, as of any client.

    def expect_stream(self) -> None:
        """As with any client."""
        self._client.expect_stream()

    async def start_stream(self, status: int = 200, headers: Headers | None = None) -> None:
        """The head of a stream of events; a whole answer that comes in pieces waits to be whole."""
        if headers is not None:
            self._whole, self._head = bytearray(), (status, headers)
            return
        if self._turn.keeps:
            self._gathered = self._turn.gatherer()
        await self._client.start_stream(status)

    def number_by(self, next_number: Callable[[], int]) -> None:
        """As with any client, but for what waits for the turn to be kept: an error stands in its place."""
        ended = self._ended  # not this itself: the client would hold what holds the client

        def of_the_next() -> int:
            withheld = first_number(bytes(ended))
            return next_number() if withheld is None else withheld

        self._client.number_by(of_the_next)

    async def end_stream(self) -> None:
        """Keeps the turn, then tells the end. Raises what says that it could not be kept."""
        if self._whole is not None:
            await self.respond(*self._head, bytes(self._whole))
            return
        if self._gathered is not None:
            self._client.flush()  # what has been said need not wait for what is kept
            await self._keep_stream(self._gathered)
        if self._ended:
            self._client.write(bytes(self._ended))
        await self._client.end_stream()

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer, once it is kept. Raises what says that it could not be."""
        if status == 200:
            body = await self._kept(body)
        await self._client.respond(status, headers, body)

    # The sink.

    def attach(self, pump: Pump | None) -> Look | None:
        """Whom to tell about being full, and who tells what passes unread."""
        self._pump = pump or self._pump
        if pump is not None and self._gathered is not None:
            pump.listening = self._gathered.listening
        self._beside = self._client.attach(pump)
        return self.tick

    def writer(self) -> Callable[[bytes], None]:
        """What gathers, and sends on what is not the end."""
        if self._whole is not None:
            return self._collect
        write, retold, gathered, pump = self._client.writer(), self._retold, self._gathered, self._pump
        if gathered is None or pump is None:
            return write if retold is None else lambda events: write(retold.events(events))

        def taken(events: bytes) -> None:
            if retold is not None:
                events = retold.events(events)
            if pump.finished or self._ended:
                self._withhold(events, write, gathered)
            else:
                write(events)
                gathered.add(events)

        return taken

    def raw_writer(self) -> Callable[[bytes], None] | None:
        """What sends plain text on unread, and gathers it."""
        if self._whole is not None:
            return None
        write = self._client.raw_writer()
        return write if write is None or self._gathered is None else self._gathered.raw_writer(write)

    def _withhold(self, events: bytes, write: Callable[[bytes], None], gathered: Gathered) -> None:
        if not self._ended:
            end = self._turn.wanted.dialect.end_in(events)
            before, events = events[:end], events[end:]
            if before:
                write(before)
                gathered.add(before)
            gathered.add(events)
        self._ended += events

    def _collect(self, piece: bytes) -> None:
        if self._whole is not None:
            self._whole += piece
            if len(self._whole) > MAX_BODY_BYTES:
                raise too_large(MAX_BODY_BYTES)

    # What is kept.

    async def _keep_stream(self, gathered: Gathered) -> None:
        more = gathered.settle()  # an engine may say a lot between two looks
        while more:
            await asyncio.sleep(PAUSE_S)
            more = gathered.settle()
        cut = gathered.over
        try:
            answer = gathered.answer()
        except UNREADABLE:  # an engine may say anything
            raise unreadable() from None
        if not await self._keep(answer, gathered.size, cut=cut) and self._retold is not None:
            self._ended[:] = self._retold.unkept(bytes(self._ended))

    async def _kept(self, body: bytes) -> bytes:
        """A whole answer as it is told, once it is kept."""
        turn, retold = self._turn, self._retold
        answer = _read(body)
        if retold is None:
            if turn.keeps:
                await self._keep(answer, len(body), cut=False)
            said = body.rstrip()
            if _CHOICES in answer and said.endswith(b"}"):
                return b'%b,"conversation":%b}' % (said[:-1], write({"id": turn.id}))
            return body
        if not isinstance(answer.get("output"), list):  # it is no response
            if turn.wanted.must:
                raise unreadable()
            return body
        retold.put(answer, kept=turn.keeps)
        if turn.keeps and not await self._keep(answer, len(body), cut=False):
            retold.put(answer, kept=False)
        return write(answer)

    async def _keep(self, answer: dict[str, Any], size: int, *, cut: bool) -> bool:
        """Whether the turn is kept. Raises what says that it could not be, unless the caller gets the answer all the same."""
        try:
            return await self._turn.keep(answer, size, cut=cut)
        except GatewayError:
            if self._turn.wanted.must:
                raise
            return False
        except UNREADABLE:  # an engine may say anything
            raise unreadable() from None

    def _tell_omitted(self) -> None:
        headers, omitted = self._client.answer_headers, self._turn.omitted
        headers[:] = [pair for pair in headers if pair[0] != TELLS_OMITTED]
        if omitted:
            headers.append((TELLS_OMITTED, b"%d" % omitted))


Told = Client | RememberingClient
"""Who is told an answer."""


def _read(body: bytes) -> dict[str, Any]:
    """A whole answer; what it says in words, where it holds more log probabilities than can be read at once."""
    try:
        answer = read(body)
    except TooDense:
        answer = chat_in(body)
    except Unreadable:
        answer = None
    if not isinstance(answer, dict):
        raise unreadable()
    return answer
