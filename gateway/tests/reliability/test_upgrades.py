"""RELIABILITY: a request that offers to change the protocol is served as if it did not (RFC 9110, 7.8), whatever it offers,
wherever it goes, and however it is split into packets; no byte of its body is ever read as a request.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.engine_script import Chat
from tests.support.gateway import KEY
from tests.support.http import Client
from tests.support.quick import examples, slow
from tests.support.scene import CHAT_PATH, PLAIN, STREAM, Stage

pytestmark = pytest.mark.anyio

HIDDEN = b"GET /smuggled HTTP/1.1\r\nhost: gateway\r\n\r\n"
OFFERS: dict[str, list[bytes]] = {
    "a web socket": [b"Upgrade: websocket", b"Connection: Upgrade", b"Sec-WebSocket-Version: 13"],
    "h2c, as Java's client does": [
        b"Connection: Upgrade, HTTP2-Settings",
        b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
        b"Upgrade: h2c",
    ],
    "a name nobody knows": [b"Upgrade: foo", b"Connection: keep-alive, Upgrade"],
    "another version of TLS": [b"UPGRADE: TLS/1.0, HTTP/1.1", b"CONNECTION: upgrade"],
    "several, in two lines": [b"Upgrade: a", b"Upgrade: b", b"Connection: upgrade", b"Connection: x-other"],
    "an upgrade, and the end of the connection": [b"Upgrade: h2c", b"Connection: upgrade, close"],
    "HTTP/2's settings alone": [b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA"],
    "an upgrade that the connection does not name": [b"Upgrade: websocket"],
    "a connection that upgrades to nothing": [b"Connection: Upgrade"],
}
QUICK = ("h2c, as Java's client does", "several, in two lines", "an upgrade, and the end of the connection")
"""On every path in a quick run too; of the others the property test below tries some."""
PATHS: dict[str, tuple[str, bytes, int]] = {
    "chat": (f"POST {CHAT_PATH}", json.dumps(PLAIN).encode(), 200),
    "chat, with the whole URL": (f"POST http://gateway{CHAT_PATH}", json.dumps(PLAIN).encode(), 200),
    "a stream": (f"POST {CHAT_PATH}", json.dumps(STREAM).encode(), 200),
    "a stream by GET": ("GET /generate_stream?prompt=hi", b"", 200),
    "a GET with a body": ("GET /generate_stream?prompt=hi", HIDDEN, 200),
    "what is passed through": ("POST /v1/embeddings", b'{"input": "hi"}', 200),
    "models": ("GET /v1/models", b"", 200),
    "models, with a body": ("GET /v1/models", HIDDEN, 200),
    "a HEAD": ("HEAD /health", b"", 200),
    "session": ("POST /session", json.dumps({"key": KEY}).encode(), 204),
    "nowhere, with a body": ("POST /nowhere", HIDDEN, 404),
    "a body that is no call": (f"POST {CHAT_PATH}", HIDDEN * 3, 400),
}
NEXT = b"GET /v1/models HTTP/1.1\r\nhost: gateway\r\nx-request-id: the-next-one\r\nauthorization: Bearer %b\r\n\r\n"


def request(path: str, offer: str, framing: str) -> bytes:
    start, body, _ = PATHS[path]
    lines = [f"{start} HTTP/1.1".encode(), b"host: gateway", b"authorization: Bearer " + KEY.encode(), *OFFERS[offer]]
    if framing == "chunked" and body:
        lines.append(b"transfer-encoding: chunked")
        half = len(body) // 2
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:half], body[half:])) + b"0\r\n\r\n"
    else:
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])


async def sent_in_pieces(client: Client, data: bytes, cuts: Sequence[int]) -> None:
    edges = [0, *sorted({cut % len(data) for cut in cuts}), len(data)]
    for start, end in itertools.pairwise(edges):
        if start < end:
            await client.send(data[start:end])
            await asyncio.sleep(0.001)  # the kernel would join what it is given at once


async def serves_it_and_the_next(stage: Stage, path: str, offer: str, framing: str, cuts: Sequence[int]) -> None:
    """One answer to the request, one to the request behind it, and nothing to what its body holds."""
    once = offer == "an upgrade, and the end of the connection"
    data = request(path, offer, framing) + (b"" if once else NEXT % KEY.encode())
    async with stage.connect() as client:
        await sent_in_pieces(client, data, cuts)
        await client.read_head()
        assert client.reply.status == PATHS[path][2], (path, offer, framing, cuts, client.reply)
        if not path.startswith("a HEAD"):
            await client.read_body()
        if once:
            assert await client.read_to_end() == b""
            return
        reply = await client.read_reply()
        assert (reply.status, reply.headers["x-request-id"]) == (200, "the-next-one"), (path, offer, framing, cuts)
    for each in stage.engine.requests:
        assert "upgrade" not in each.headers
        assert not each.path.startswith("/smuggled")


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("offer", [*QUICK, *slow(*(offer for offer in OFFERS if offer not in QUICK))])
async def test_every_offer_is_passed_over_on_every_path(stage: Stage, offer: str, framing: str) -> None:
    for path in PATHS:
        data = request(path, offer, framing)
        head = data.index(b"\r\n\r\n") + 4
        for cuts in ([], [head], [head - 1], [head + 1], [head - 1, head, head + 1]):
            await serves_it_and_the_next(stage, path, offer, framing, cuts)


@pytest.mark.parametrize("offer", ["a web socket", *slow("h2c, as Java's client does")])
async def test_an_offer_is_passed_over_byte_by_byte(stage: Stage, offer: str) -> None:
    data = request("a body that is no call", offer, "length")
    await serves_it_and_the_next(stage, "a body that is no call", offer, "length", range(len(data)))


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(sorted(PATHS)),
    offer=st.sampled_from(sorted(OFFERS)),
    framing=st.sampled_from(["length", "chunked"]),
    cuts=st.lists(st.integers(0, 2000), max_size=8),
)
async def test_no_split_changes_what_is_read(
    stage: Stage, path: str, offer: str, framing: str, cuts: list[int]
) -> None:
    await serves_it_and_the_next(stage, path, offer, framing, cuts)


async def test_many_offers_in_one_packet_are_each_served(stage: Stage) -> None:
    """What follows an offer is not copied for each."""
    one = request("models", "a web socket", "length")
    async with stage.connect() as client:
        await client.send(one * 200)
        for _ in range(200):
            assert (await client.read_reply()).status == 200
            client.reply.body = b""


async def test_a_stream_under_an_offer_is_a_stream(stage: Stage) -> None:
    stage.engine.script = Chat(("こん", "にちは"), gap_s=0.05)
    frames = await stage.frames(STREAM, headers={"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c"})
    assert frames[-1].data == "[DONE]"


@pytest.mark.parametrize("behind", [b"", HIDDEN, b"x" * 100_000], ids=["nothing", "a request", "much"])
async def test_a_tunnel_is_refused_plainly(stage: Stage, behind: bytes) -> None:
    async with stage.connect() as client:
        await client.send(b"CONNECT engine:8000 HTTP/1.1\r\nhost: engine:8000\r\n\r\n" + behind)
        reply = await client.read_reply()
        assert (reply.status, reply.headers["connection"]) == (405, "close")
        assert "CONNECT" in reply.json["error"]["message"]
        assert await client.read_to_end() == b""


@pytest.mark.parametrize("lines", [b"", b"host: a\r\nhost: b\r\n"], ids=["no host", "two hosts"])
async def test_an_offer_excuses_nothing(stage: Stage, lines: bytes) -> None:
    async with stage.connect() as client:
        await client.send(b"GET /health HTTP/1.1\r\n" + lines + b"upgrade: h2c\r\nconnection: upgrade\r\n\r\n" + HIDDEN)
        assert (await client.read_reply()).status == 400
        assert await client.read_to_end() == b""
