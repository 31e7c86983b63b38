"""Calls and connections of every kind, and every way in which they end, for tests of what is left of them.

`KINDS` maps a few words to what makes one on a stage whose timeouts are short, but for the model `PATIENT`. Many may be
made of each at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from tests.support.engine_faults import CLOSE_BEFORE_HEADERS, GARBAGE, NO_ANSWER, RESET_BEFORE_HEADERS
from tests.support.engine_script import Answer, Chat, Request, Script, answer, cut, error, frame, reset, silence, sse
from tests.support.gateway import KEY
from tests.support.http import Client, fetch
from tests.support.scene import CHAT_PATH, HELLO, PLAIN, STREAM, Stage
from tests.support.waiting import eventually

Kind = Callable[[Stage], Awaitable[None]]
PATIENT = "patient"
"""The model of calls that are to last as long as they like."""
LONG_TOKENS = 2000
LONG = Chat(["x"] * LONG_TOKENS, gap_s=0.01)
WIDE = Chat(["x" * 1000] * 3000)
"""More than the sockets on its way hold."""
TALL = Chat(["a"], finish_reason=None, done=False, last=[silence])
CUT, RESET = (Chat(["a", "b"], finish_reason=None, done=False, last=[step]) for step in (cut, reset))
UPGRADE = {"upgrade": "h2c", "connection": "upgrade"}
WRONG = {"authorization": "Bearer sk-wrong"}
DOCUMENT = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]}


async def asked(
    stage: Stage,
    body: object,
    path: str = CHAT_PATH,
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    engine: Answer | None = None,
    times: int = 2,
) -> None:
    """The same request some times on one connection, each answered by `engine`, which is asked again where the gateway may."""
    async with stage.connect() as client:
        for _ in range(times):
            if engine is not None:
                stage.engine.then(engine)
            await client.send(stage.request(body, path, headers, method))
            reply = await client.read_head()
            if method != "HEAD":
                await client.read_body()
            if reply.headers.get("connection") == "close":
                return


async def sent(stage: Stage, data: bytes) -> None:
    """These bytes, and whatever is answered."""
    async with stage.connect() as client:
        await client.send(data)
        await client.read_reply()


async def silent(stage: Stage, *, asks: bool = False, stays: bool = True) -> None:
    """A connection on which nothing is asked, or nothing more."""
    async with stage.connect() as client:
        if asks:
            await client.send(stage.request(PLAIN))
            await client.read_reply()
        if stays:
            await client.read_to_end()


async def in_pieces(stage: Stage, at: int, *, whole: bool) -> None:
    """A request whose first bytes come by themselves; the rest may be never sent, or too late."""
    async with stage.connect() as client:
        data = stage.request(PLAIN)
        await client.send(data[:at])
        await asyncio.sleep(0.02)
        if whole:
            await client.send(data[at:])
            await client.read_reply()


async def too_slow(stage: Stage, at: int) -> None:
    async with stage.connect() as client:
        await client.send(stage.request(PLAIN)[:at])
        await client.read_to_end()


async def expecting(stage: Stage) -> None:
    async with stage.connect() as client:
        head, _, body = stage.request(PLAIN, headers={"expect": "100-continue"}).partition(b"\r\n\r\n")
        await client.send(head + b"\r\n\r\n")
        assert b"100 Continue" in await client.read_raw()
        await client.send(body)
        await client.read_reply()


async def ahead(stage: Stage, *, left: bool) -> None:
    """Many requests at once."""
    async with stage.connect() as client:
        if left:
            stage.engine.then(NO_ANSWER)
        await client.send(stage.request(PLAIN) * 12)
        if left:
            await eventually(lambda: stage.engine.open >= 1)
            client.leave()
            return
        for _ in range(12):
            await client.read_reply()


async def left(stage: Stage, body: object, engine: Answer, going: Callable[[Client], None]) -> None:
    """The client goes away, one way or another: in the middle of a stream, or before a whole answer."""
    stage.engine.then(engine)
    async with stage.connect() as client:
        await client.send(stage.request(body))
        if body is STREAM:
            await client.read_head()
            await client.read_chunk()
        else:
            await eventually(lambda: stage.engine.open >= 1)
        going(client)
        with suppress(ConnectionError):
            await client.read_to_end()


async def ends_sending(stage: Stage, body: object) -> None:
    async with stage.connect() as client:
        await client.send(stage.request(body))
        client.half_close()
        await client.read_to_end()


async def ends_sending_and_resets(stage: Stage) -> None:
    stage.engine.then(TALL)
    async with stage.connect() as client:
        await client.send(stage.request(STREAM))
        client.half_close()
        await client.read_head()
        await client.read_chunk()
        client.reset()


async def reads_slowly(stage: Stage, *, on: bool) -> None:
    """A client that does not read until it is full; then it goes on, or never does."""
    stage.engine.then(WIDE)
    async with stage.connect(buffer_bytes=4096) as client:
        await client.send(stage.request(STREAM))
        await client.read_head()
        client.stop_reading()
        await asyncio.sleep(0.1 if on else 1.0)
        client.resume_reading()
        with suppress(asyncio.IncompleteReadError, ConnectionError):  # it may have been too slow even so
            await client.read_body()


async def operators(stage: Stage, path: str, body: object = None) -> None:
    assert (await fetch(stage.url, path, body, key=stage.operators_key)).status < 400


async def stopped(stage: Stage) -> None:
    """A stream that the operator stops."""
    stage.engine.then(TALL)
    async with stage.connect() as client:
        await client.send(stage.request({**STREAM, "model": PATIENT}))
        call = (await client.read_head()).headers["x-request-id"]
        await client.read_chunk()
        stopping = await fetch(stage.url, f"/admin/calls/{call}", key=stage.operators_key, method="DELETE")
        assert stopping.status == 200, stopping.text
        await client.read_body()


def as_long_as_asked(request: Request) -> Script:
    return (LONG if request.json.get("max_tokens") == LONG_TOKENS else Chat())(request)


async def talk(stage: Stage) -> None:
    """A conversation that is kept: plain, streamed, cut, read and deleted."""
    stage.engine.script = as_long_as_asked  # not by turns: another such call may come first
    made = await fetch(stage.url, "/v1/conversations", {}, key=stage.key)
    talk_id = made.json["id"]
    theirs = {"conversation": talk_id, "model": PATIENT}
    for body in (PLAIN, STREAM):
        reply = await fetch(stage.url, CHAT_PATH, {**body, **theirs}, key=stage.key)
        assert reply.status == 200, reply.text
    async with stage.connect() as client:
        await client.send(stage.request({**STREAM, **theirs, "max_tokens": LONG_TOKENS}))
        await client.read_head()
        await client.read_chunk()
        client.leave()
    for path in (f"/v1/conversations/{talk_id}/items", "/v1/conversations"):
        assert (await fetch(stage.url, path, key=stage.key)).status == 200
    await fetch(stage.url, f"/v1/conversations/{talk_id}", key=stage.key, method="DELETE")


async def stale(stage: Stage) -> None:
    """The engine closes what was kept, and a call comes."""
    async with stage.connect() as client:
        await client.send(stage.request(PLAIN))
        await client.read_reply()
        stage.engine.drop_connections()
        await client.send(stage.request(PLAIN))
        await client.read_reply()


def by_engine(body: object, engine: Answer) -> Kind:
    """A call, and what the engine does with it, and with each further attempt."""
    return partial(asked, body=body, engine=engine, times=1)


def got(path: str, method: str = "GET", **options: Any) -> Kind:
    """A request without a body."""
    return partial(asked, body=None, path=path, method=method, **options)


def posted(path: str, body: object, **options: Any) -> Kind:
    """One with a body."""
    return partial(asked, body=body, path=path, **options)


CONNECTIONS: dict[str, Kind] = {
    "nothing is asked": partial(silent, stays=False),
    "nothing is asked for too long": silent,
    "nothing more is asked for too long": partial(silent, asks=True),
    "a head in pieces": partial(in_pieces, at=30, whole=True),
    "a body in pieces": partial(in_pieces, at=-3, whole=True),
    "half a head": partial(in_pieces, at=30, whole=False),
    "half a body": partial(in_pieces, at=-3, whole=False),
    "a head that is too slow": partial(too_slow, at=30),
    "a body that is too slow": partial(too_slow, at=-3),
    "a body that waits for leave": expecting,
    "many requests at once": partial(ahead, left=False),
    "many requests at once, and gone": partial(ahead, left=True),
    "no HTTP": partial(sent, data=b"no HTTP\r\n\r\n"),
    "a tunnel": partial(sent, data=b"CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n"),
    "HTTP/1.0": lambda stage: sent(stage, stage.request(PLAIN).replace(b"HTTP/1.1", b"HTTP/1.0")),
    "a head that is too large": lambda stage: sent(stage, stage.request(PLAIN, headers={"x": "y" * 100_000})),
    "a body that is too large": lambda stage: sent(stage, stage.request(b"x" * 12_000_000)[:1_000_000]),
}
ENDS: dict[str, Kind] = {
    "gone in a stream": partial(left, body=STREAM, engine=LONG, going=Client.leave),
    "reset in a stream": partial(left, body=STREAM, engine=LONG, going=Client.reset),
    "gone before an answer": partial(left, body=PLAIN, engine=NO_ANSWER, going=Client.leave),
    "half-closed in a stream": partial(ends_sending, body=STREAM),
    "half-closed before an answer": partial(ends_sending, body=PLAIN),
    "half-closed, and then reset": ends_sending_and_resets,
    "a slow reader": partial(reads_slowly, on=True),
    "a reader that stands still": partial(reads_slowly, on=False),
    "stopped by the operator": stopped,
    "a kept connection that ended": stale,
}
PATHS: dict[str, Kind] = {
    "plain": posted(CHAT_PATH, PLAIN),
    "plain, and the end": posted(CHAT_PATH, PLAIN, headers={"connection": "close"}),
    "a stream": posted(CHAT_PATH, STREAM),
    "a text, streamed": posted("/v1/completions", {"prompt": "hi", "stream": True}),
    "a stream by GET": got("/generate_stream?prompt=hi"),
    "embeddings": posted("/v1/embeddings", {"input": "hi"}),
    "a response": posted("/v1/responses", {"input": "hi"}),
    "a response, streamed": posted("/v1/responses", {"input": "hi", "stream": True}),
    "messages": posted("/v1/messages", {"messages": HELLO, "max_tokens": 10}),
    "a form": posted("/v1/audio/transcriptions", b"x", headers={"content-type": "multipart/form-data; boundary=x"}),
    "a conversation": talk,
    "no key": posted(CHAT_PATH, PLAIN, headers=WRONG),
    "no JSON": posted(CHAT_PATH, b"{"),
    "no such model": posted(CHAT_PATH, {**PLAIN, "model": "nope"}),
    "no messages": posted(CHAT_PATH, {"messages": 3}),
    "a call that offers an upgrade": posted(CHAT_PATH, STREAM, headers=UPGRADE),
    "models that offer an upgrade": got("/v1/models", headers=UPGRADE),
    "models": got("/v1/models"),
    "models, in an odd way": got("//v1/models"),
    "models, and no key": got("/v1/models", headers=WRONG),
    "health": got("/health"),
    "health, its head": got("/health", "HEAD"),
    "readiness": got("/health/readiness"),
    "metrics": got("/metrics"),
    "no path": got("/nowhere"),
    "no method": got(CHAT_PATH),
    "the page": got("/"),
    "a session": posted("/session", {"key": KEY}),
    "the operator's keys": partial(operators, path="/admin/keys"),
    "the operator's usage": partial(operators, path="/admin/usage"),
    "a reload": partial(operators, path="/admin/reload", body={}),
}
ENGINES: dict[str, Kind] = {
    "the engine fails": by_engine(PLAIN, error(500)),
    "the engine refuses": by_engine(STREAM, error(400)),
    "the engine is not ready": by_engine(PLAIN, error(503)),
    "the engine closes": by_engine(PLAIN, CLOSE_BEFORE_HEADERS),
    "the engine resets": by_engine(STREAM, RESET_BEFORE_HEADERS),
    "the engine closes in a stream": by_engine(STREAM, CUT),
    "the engine resets in a stream": by_engine(STREAM, RESET),
    "the engine speaks no HTTP": by_engine(PLAIN, GARBAGE),
    "the engine speaks no JSON": by_engine(PLAIN, answer(b"x")),
    "an error in a stream": by_engine(STREAM, sse([frame({"error": {"message": "x"}})])),
    "a stream that stands still": by_engine(STREAM, TALL),
    "no first byte": by_engine(STREAM, NO_ANSWER),
    "no answer": by_engine(PLAIN, NO_ANSWER),
    "a document for a stream": by_engine(STREAM, answer(DOCUMENT)),
    "an answer that ends with its connection": by_engine(PLAIN, Chat(framing="close")),
    "a stream that ends with its connection": by_engine(STREAM, Chat(framing="close")),
}
KINDS = CONNECTIONS | ENDS | PATHS | ENGINES
