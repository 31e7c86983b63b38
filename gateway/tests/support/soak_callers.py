"""The callers of the soak, each kind a coroutine that comes once: what it asks, and what its engine's script has promised it.

The rule: what a caller did not cause itself, and no script of its call promised, is a fault with a name.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from tests.support.gateway import RunningGateway
from tests.support.http import Client, Reply, connection, fetch, request_bytes
from tests.support.scene import CHAT_PATH
from tests.support.soak_scripts import BROKEN, EMBEDDED, FAULTY, GOOD, REFUSED, WORDS, asking
from tests.support.waiting import eventually


@dataclass
class Soak:
    """What the callers do it to, and what they have seen."""

    gateway: RunningGateway
    operators_key: str
    limited_key: str
    until_s: float
    dice: random.Random
    done: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    number: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def over(self) -> bool:
        return monotonic() >= self.until_s

    def fault(self, what: str) -> None:
        self.faults[what] += 1

    def expect(self, kind: str, seen: object, *promised: object) -> None:
        if seen not in promised:
            self.fault(f"{kind}: {seen!r:.120} instead of {' or '.join(map(repr, promised))}")

    async def pause(self, longest_s: float) -> None:
        await asyncio.sleep(self.dice.uniform(0, longest_s))

    async def ask(
        self,
        client: Client,
        body: object,
        path: str = CHAT_PATH,
        *,
        key: str | None = None,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        await client.send(request_bytes(method, path, body, key or self.gateway.key, headers))

    async def operators(self, path: str, body: object = None, method: str | None = None) -> Reply:
        return await fetch(self.gateway.url, path, body, key=self.operators_key, method=method)


def said(body: bytes) -> tuple[str, str]:
    """The text of a stream, and how it ended: `[DONE]`, the code of its error, or nothing."""
    text, ended = "", "nothing"
    for line in body.decode().split("\n"):
        if line == "data: [DONE]":
            ended = "[DONE]"
        elif line.startswith("data: "):
            event = json.loads(line[6:])
            if "error" in event:
                ended = str(event["error"]["code"])
            for choice in event.get("choices", []):
                text += choice.get("delta", {}).get("content") or ""
    return text, ended


async def streaming(soak: Soak) -> None:
    async with connection(soak.gateway.url) as client:
        for _ in range(3):
            await soak.ask(client, asking("whole", stream=True))
            reply = await client.read_reply()
            soak.expect("a stream", (reply.status, *said(reply.body)), (200, "".join(WORDS), "[DONE]"))


async def plain(soak: Soak) -> None:
    async with connection(soak.gateway.url) as client:
        for _ in range(3):
            await soak.ask(client, asking("whole"))
            reply = await client.read_reply()
            soak.expect("plain", reply.status, 200)
            if reply.status == 200:
                soak.expect("plain", reply.json["choices"][0]["message"]["content"], "".join(WORDS))
            await soak.pause(0.5)


async def passed_through(soak: Soak) -> None:
    reply = await fetch(
        soak.gateway.url, "/v1/embeddings", {"model": GOOD, "input": "soak:embedding"}, key=soak.gateway.key
    )
    soak.expect("embeddings", (reply.status, reply.json), (200, EMBEDDED))


async def generating(soak: Soak) -> None:
    by_get = soak.dice.random() < 0.5
    path = "/generate_stream?prompt=soak:whole" if by_get else "/generate_stream"
    reply = await fetch(soak.gateway.url, path, None if by_get else {"prompt": "soak:whole"}, key=soak.gateway.key)
    text = "".join(json.loads(each)["delta"] for each in re.findall(r'^data: (\{"delta".*)$', reply.text, re.MULTILINE))
    soak.expect("generate_stream", (reply.status, text, "event: done" in reply.text), (200, "".join(WORDS), True))


async def talking(soak: Soak) -> None:
    url, key = soak.gateway.url, soak.gateway.key
    made = await fetch(url, "/v1/conversations", {}, key=key)
    soak.expect("a conversation", made.status, 200)
    talk = f"/v1/conversations/{made.json['id']}"
    for stream in (False, True):
        reply = await fetch(url, CHAT_PATH, asking("whole", stream=stream, conversation=made.json["id"]), key=key)
        soak.expect("a conversation's call", reply.status, 200)
    items = (await fetch(url, f"{talk}/items", key=key)).json["data"]
    soak.expect("a conversation's items", len(items), 4)
    soak.expect("a conversation's end", (await fetch(url, talk, key=key, method="DELETE")).status, 200)


async def leaving_mid_stream(soak: Soak) -> None:
    async with connection(soak.gateway.url) as client:
        await soak.ask(client, asking("long", stream=True))
        soak.expect("who leaves", (await client.read_head()).status, 200)
        for _ in range(soak.dice.randint(1, 30)):
            await client.read_chunk()
        _leave(soak, client)


async def leaving_early(soak: Soak) -> None:
    async with connection(soak.gateway.url) as client:
        await soak.ask(client, asking(soak.dice.choice(["whole", "long"]), stream=soak.dice.random() < 0.5))
        await soak.pause(0.2)
        _leave(soak, client)


async def half_sent(soak: Soak) -> None:
    """A head or a body of which the rest never comes, or what is no HTTP at all."""
    async with connection(soak.gateway.url) as client:
        whole = request_bytes("POST", CHAT_PATH, asking("whole"), soak.gateway.key)
        await client.send(soak.dice.choice([whole[:30], whole[:-3], whole + whole[:40], b"no HTTP\r\n\r\n"]))
        await soak.pause(0.2)
        _leave(soak, client)


def _leave(soak: Soak, client: Client) -> None:
    """As a closed tab does, or as a crash does."""
    if soak.dice.random() < 0.5:
        client.reset()
    else:
        client.leave()


async def reading_slowly(soak: Soak) -> None:
    async with connection(soak.gateway.url, buffer_bytes=4096) as client:
        await soak.ask(client, asking("wide", stream=True))
        await client.read_head()
        body, unpaused = b"", 0
        while chunk := await client.read_chunk():
            body += chunk
            unpaused += len(chunk)
            if unpaused > 1 << 17:
                unpaused = 0
                await asyncio.sleep(0.1)
        soak.expect("a slow reader", tuple(map(len, said(body))), (1000 * 1000, len("[DONE]")))


async def mistaken(soak: Soak) -> None:
    bodies: list[tuple[object, int]] = [
        (b"{", 400), ({"messages": 3}, 400), ({**asking("whole"), "model": "nope"}, 404), (b"x" * 11_000_000, 413),
    ]  # fmt: skip
    body, status = soak.dice.choices(bodies, weights=[8, 8, 8, 1])[0]
    url, key = soak.gateway.url, soak.gateway.key
    if status == 413:
        async with connection(url) as client:
            await client.send(request_bytes("POST", CHAT_PATH, body, key)[:100_000])
            soak.expect("a body that is too large", (await client.read_reply()).status, 413)
        return
    soak.expect("a mistake", (await fetch(url, CHAT_PATH, body, key=key)).status, status)
    soak.expect("no path", (await fetch(url, "/nowhere", key=key)).status, 404)
    soak.expect("no method", (await fetch(url, CHAT_PATH, key=key)).status, 405)
    soak.expect("no key", (await fetch(url, CHAT_PATH, asking("whole"), key="sk-wrong")).status, 401)


async def failed(soak: Soak) -> None:
    """A call whose engine fails it, one way or another."""
    script = soak.dice.choice([*REFUSED, *BROKEN, "no JSON"])
    stream = script in BROKEN or (script != "no JSON" and soak.dice.random() < 0.5)
    reply = await fetch(soak.gateway.url, CHAT_PATH, asking(script, stream=stream, model=FAULTY), key=soak.gateway.key)
    if script in BROKEN:
        code = "timeout" if script == "stands still" else "upstream_error"
        text, ended = said(reply.body) if reply.status == 200 else ("", "")
        soak.expect(f"engine: {script}", (reply.status, ended), (200, code))
        if not "".join(WORDS[:5]).startswith(text):
            soak.fault(f"engine: {script}: another text")
    else:
        soak.expect(f"engine: {script}", reply.status, REFUSED.get(script, 502))


async def limited(soak: Soak) -> None:
    reply = await fetch(soak.gateway.url, CHAT_PATH, asking("whole"), key=soak.limited_key)
    soak.expect("a limited key", reply.status, 200, 429)
    soak.done[f"a limited key: {reply.status}"] += 1


async def stopped(soak: Soak) -> None:
    """A stream that the operator stops while it is under way."""
    name = f"soak-{next(soak.number)}"
    async with connection(soak.gateway.url) as client:
        await soak.ask(client, asking("long", stream=True), headers={"x-request-id": name})
        reply = await client.read_head()
        await client.read_chunk()
        stopping = await soak.operators(f"/admin/calls/{reply.headers['x-request-id']}", method="DELETE")
        soak.expect("stopping a call", stopping.status, 200, 202, 204)
        _, ended = said(await client.read_body())
        if ended in {"[DONE]", "nothing"}:
            soak.fault(f"a stopped call ended with {ended}")


async def administering(soak: Soak) -> None:
    """A key's life, and the operator's questions."""
    pages = (
        "metrics",
        "admin/status",
        "admin/deployments",
        "admin/usage",
        "admin/calls",
        "admin/series",
        "admin/queue",
        "admin/log",
    )
    for path in soak.dice.sample(pages, 3):
        soak.expect(f"/{path}", (await soak.operators(f"/{path}")).status, 200)
    asked = {"name": f"soak-{next(soak.number)}", "limits": {"requests_per_minute": 1000}}
    made = await soak.operators("/admin/keys", asked)
    soak.expect("a new key", made.status, 201)
    one = f"/admin/keys/{made.json['id']}"
    changed = await soak.operators(one, {"limits": {"requests_per_minute": 2000}}, "PATCH")
    soak.expect("a changed key", (changed.status, changed.json["limits"]), (200, {"requests_per_minute": 2000}))

    async def called() -> int:
        return (await fetch(soak.gateway.url, CHAT_PATH, asking("whole"), key=made.json["key"])).status

    async def is_refused() -> bool:
        return await called() == 401

    soak.expect("a key of the operator's making", await called(), 200)
    soak.expect("a revoked key", (await soak.operators(one, method="DELETE")).status, 200)
    await eventually(is_refused, every_s=0.2)


CALLERS: Final[dict[Callable[[Soak], Awaitable[None]], int]] = {
    streaming: 16, plain: 8, passed_through: 4, generating: 4, talking: 3, leaving_mid_stream: 6, leaving_early: 6,
    half_sent: 4, reading_slowly: 2, mistaken: 3, failed: 8, limited: 2, stopped: 2, administering: 1,
}  # fmt: skip
"""How many of each are there at once."""
