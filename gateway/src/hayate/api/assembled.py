"""A whole answer from a stream that only the gateway asked for: the sink that joins it, within a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from hayate.api.gateway import Gateway
from hayate.backends.base import Assembling, Assembly
from hayate.downstream.remembering import Told
from hayate.errors import GatewayError
from hayate.relay.answer import Answer
from hayate.relay.pump import Pump
from hayate.upstream.bodies import MAX_BODY_BYTES, too_large
from hayate.wire import engine_json, sse
from hayate.wire.decoder import StreamDecoder
from hayate.wire.error_bodies import JSON
from hayate.wire.faults import UNREADABLE, unreadable
from hayate.wire.upstream_request import UpstreamRequest

COUNT_S = 2.0
"""How long the engine may take to count a prompt."""

REST_S = 5.0
"""How long the engine may take for the last few tokens of a text."""


async def respond_assembled(
    gateway: Gateway, client: Told, answer: Answer, decoder: StreamDecoder, assembly: Assembly
) -> None:
    """Reads the engine's stream to its end and sends what it says as one answer. Raises GatewayError when it broke."""
    sink, parts = AssemblingSink(assembly.parts), assembly.parts
    await answer.pump(decoder, sink, client_stall_s=gateway.settings.client_stall_s)
    if sink.unreadable:
        raise unreadable()
    if assembly.count_prompt is not None and not answer.record.usage.prompt_tokens:
        await _count_prompt(answer, parts, assembly.count_prompt)
    try:
        said = parts.answer()
        rest = None if assembly.rest is None else assembly.rest(said)
        if rest is not None:
            await _add_rest(answer, said, rest)
        whole = engine_json.write(said)
    except UNREADABLE:  # an engine may answer anything
        raise unreadable() from None
    await client.respond(200, JSON, whole)


async def _add_rest(answer: Answer, said: dict[str, Any], rest: UpstreamRequest) -> None:
    """Adds the end of a text; without it the text is still one."""
    try:
        async with asyncio.timeout(REST_S):
            exchange = await answer.replica.pool.send(rest, first_byte_s=REST_S, fresh=True, keep=False)
            try:
                text = engine_json.read(await exchange.read())["choices"][0]["text"]
            finally:
                exchange.close()
        said["choices"][0]["text"] += text
    except (TimeoutError, GatewayError, *UNREADABLE):  # an engine may answer anything
        return


async def _count_prompt(answer: Answer, assembler: Assembling, count: UpstreamRequest) -> None:
    """Adds the prompt's tokens to the answer and to the call's record; without them the answer is still an answer."""
    try:
        async with asyncio.timeout(COUNT_S):
            exchange = await answer.replica.pool.send(count, first_byte_s=COUNT_S, fresh=True, keep=False)
            try:
                counted = engine_json.read(await exchange.read())
            finally:
                exchange.close()
        usage = {"cache_read_input_tokens": 0, "input_tokens": counted["input_tokens"]}
    except (TimeoutError, GatewayError, ValueError, TypeError, LookupError):  # an engine may answer anything
        return
    answer.record.usage.take(usage)
    assembler.add({"type": "message_delta", "usage": usage})


class AssemblingSink:
    """A sink that keeps what an answer says instead of sending it. One per call."""

    __slots__ = ("_assembler", "_limit", "_size", "unreadable")

    def __init__(self, assembler: Assembling, *, limit: int = MAX_BODY_BYTES) -> None:
        self._assembler = assembler
        self._limit = limit
        self._size = 0
        self.unreadable = False
        """Something of the answer can't be read: it can't be told as a whole."""

    def writer(self) -> Callable[[bytes], None]:
        """Takes whole events, as decoders return them, and hands each to the assembler."""
        return self._take

    def _take(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self._limit:
            raise too_large(self._limit)
        for frame in sse.frames(data):
            said = (sse.data_of(frame) or b"").strip()
            if said and said != b"[DONE]":
                try:
                    event = engine_json.read(said)
                except engine_json.Unreadable:
                    self.unreadable = True
                    continue
                if isinstance(event, dict):  # null, a list: some engines keep a line warm with them
                    self._assembler.add(event)

    def raw_writer(self) -> None:
        """Framing is of no use here."""

    def hold(self) -> None:
        """Nothing is sent, so nothing can wait to be sent together."""

    def flush(self) -> None:
        """Nothing was held."""

    def attach(self, pump: Pump | None) -> None:
        """Never full: too much is an error."""

    def give_up(self) -> None:
        """Never asked to: who is never full is never behind."""
