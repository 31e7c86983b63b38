"""RELIABILITY: a compressed body is read like any other on every path that takes one; a bomb costs no more than a body at the
limit.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path

import pytest

from tests.support.compress import ENCODERS
from tests.support.engine_script import Chat, answer
from tests.support.scene import CHAT_PATH, HELLO, PLAIN, STREAM, Stage

pytestmark = pytest.mark.anyio

LIMIT = 1 << 20
FORM = (
    b'--x\r\ncontent-disposition: form-data; name="model"\r\n\r\nscripted\r\n'
    b'--x\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n--x--\r\n'
)
PATHS: dict[str, tuple[bytes, dict[str, str]]] = {
    CHAT_PATH: (json.dumps(PLAIN).encode(), {}),
    "/v1/completions": (b'{"prompt": "hi"}', {}),
    "/generate_stream": (b'{"prompt": "hi"}', {}),
    "/v1/embeddings": (b'{"input": "hi"}', {}),
    "/v1/messages": (json.dumps({"messages": HELLO, "max_tokens": 9}).encode(), {}),
    "/v1/responses": (b'{"input": "hi"}', {}),
    "/v1/audio/transcriptions": (FORM, {"content-type": "multipart/form-data; boundary=x"}),
}


@pytest.mark.parametrize("name", ENCODERS)
async def test_every_path_reads_every_coding(stage: Stage, name: str) -> None:
    value, encode = ENCODERS[name]
    for path, (body, more) in PATHS.items():
        stage.engine.script = answer({"text": "hi"}) if body is FORM else Chat()
        asked = await stage.post(body, path, more)
        got = await stage.post(encode(body), path, {**more, "content-encoding": value})
        assert (got.status, got.headers["content-type"]) == (asked.status, asked.headers["content-type"]), path
        assert asked.status == 200, path
        assert stage.engine.requests[-1].body == stage.engine.requests[-2].body, path
        assert "content-encoding" not in stage.engine.requests[-1].headers


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate"])
async def test_a_compressed_body_may_come_in_chunks_and_small_pieces(stage: Stage, name: str) -> None:
    body = ENCODERS[name][1](json.dumps({**PLAIN, "user": "u" * 5000}).encode())
    async with stage.connect() as client:
        await client.send(stage.request(None, headers={"transfer-encoding": "chunked", "content-encoding": name}))
        for byte in body:
            await client.send(b"1\r\n%c\r\n" % byte)
        await client.send(b"0\r\n\r\n")
        assert (await client.read_reply()).status == 200


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate"])
async def test_signing_in_reads_a_compressed_body(stage: Stage, name: str) -> None:
    body = ENCODERS[name][1](json.dumps({"key": stage.key}).encode())
    assert (await stage.post(body, "/session", {"content-encoding": name})).status == 204
    bomb = ENCODERS[name][1](b'{"key": "' + b"x" * 100_000 + b'"}')
    assert (await stage.post(bomb, "/session", {"content-encoding": name})).status == 413
    assert (await stage.post(body, "/session", {"content-encoding": "lzma"})).status == 415


@pytest.mark.parametrize("path", [*PATHS, "/session"])
@pytest.mark.parametrize("value", ["lzma", "gzip, gzip", "aes128gcm"])
async def test_another_coding_is_refused_by_name(stage: Stage, path: str, value: str) -> None:
    body, more = PATHS.get(path, (b"{}", {}))
    reply = await stage.post(body, path, {**more, "content-encoding": value})
    assert reply.status == 415
    assert f"'{value}'" in reply.json["error"]["message"]
    assert reply.headers["accept-encoding"] == "gzip, deflate, br, zstd"
    japanese = await stage.post(body, path, {**more, "content-encoding": value, "accept-language": "ja"})
    assert "対応していません" in japanese.json["error"]["message"]
    assert not stage.engine.requests


async def test_another_coding_is_refused_before_its_body_is_read(stage: Stage) -> None:
    async with stage.connect() as client:
        await client.send(stage.request(b"", headers={"content-encoding": "lzma", "content-length": "1000"}))
        assert (await client.read_reply()).status == 415
        await client.send(b"x" * 1000 + stage.request(PLAIN))  # and the connection is of use
        client.reply.body = b""
        assert (await client.read_reply()).status == 200


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate"])
async def test_what_is_not_in_its_coding_is_a_415_that_says_so(stage: Stage, name: str) -> None:
    whole = ENCODERS[name][1](json.dumps(PLAIN).encode())
    for body in (json.dumps(PLAIN).encode(), whole[:-3], whole + b"x"):
        reply = await stage.post(body, headers={"content-encoding": name})
        assert reply.status == 415
        assert f"can't be decoded as {name}" in reply.json["error"]["message"]


async def test_no_body_is_no_compressed_body(stage: Stage) -> None:
    assert (await stage.get("/generate_stream?prompt=hi", headers={"content-encoding": "gzip"})).status == 200
    reply = await stage.post(b"", headers={"content-encoding": "gzip"})
    assert (reply.status, "empty" in reply.text) == (400, True)


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "deflate"])
async def test_a_bomb_is_a_413_in_bounded_memory(stage: Stage, name: str) -> None:
    """200 MB each, 20 of them, beside a stream."""
    bomb = ENCODERS[name][1](b'{"messages":"' + bytes(200 * LIMIT))
    assert len(bomb) < LIMIT
    stage.engine.script = Chat(["。"] * 100, gap_s=0.01)
    before = _resident_bytes(stage.gateway.pid)
    async with stage.connect() as client:
        await client.send(stage.request(STREAM))
        await client.read_head()

        async def bombs() -> None:
            for _ in range(20):
                reply = await stage.post(bomb, headers={"content-encoding": name})
                assert (reply.status, reply.json["error"]["code"]) == (413, "request_too_large")

        sending = asyncio.create_task(bombs())
        frames = [frame async for frame in client.frames()]
        await sending
    assert frames[-1].data == "[DONE]"
    assert _resident_bytes(stage.gateway.pid) - before < 40 * LIMIT


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * 4096


async def test_a_body_that_becomes_too_large_just_so_is_refused_and_one_at_the_limit_is_not(stage: Stage) -> None:
    def sized(size: int) -> bytes:
        empty = len(json.dumps({**PLAIN, "user": ""}))
        return gzip.compress(json.dumps({**PLAIN, "user": "x" * (size - empty)}).encode())

    assert (await stage.post(sized(LIMIT), headers={"content-encoding": "gzip"})).status != 413
    assert (await stage.post(sized(LIMIT + 1), headers={"content-encoding": "gzip"})).status == 413
