"""RELIABILITY: odd JSON never makes a 5xx, on any path, and reaches an engine only when it is a request."""

from __future__ import annotations

import json

import pytest

from tests.support.scene import CHAT_PATH, HELLO, Stage

pytestmark = pytest.mark.anyio

MESSAGES = json.dumps(HELLO).encode()
ODD = {
    "an empty body": b"",
    "a list": b"[]",
    "null": b"null",
    "a number": b"7",
    "a string": b'"hello"',
    "NaN": b'{"messages":%b,"temperature":NaN}' % MESSAGES,
    "Infinity": b'{"messages":%b,"temperature":Infinity}' % MESSAGES,
    "a number beyond a double": b'{"messages":%b,"temperature":1e999}' % MESSAGES,
    "a whole number of 400 digits": b'{"messages":%b,"max_tokens":%b}' % (MESSAGES, b"9" * 400),
    "deep nesting": b'{"messages":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    "deep nesting of objects": b'{"messages":' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
    "a lone surrogate": b'{"messages":[{"role":"user","content":"\\ud800"}]}',
    "bytes that are not UTF-8": b'{"messages":[{"role":"user","content":"\xff\xfe"}]}',
    "UTF-16": json.dumps({"messages": HELLO}).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + b'{"messages":%b}' % MESSAGES,
    "a NUL in a string": b'{"messages":[{"role":"user","content":"a\\u0000b"}]}',
    "a raw NUL": b'{"messages":[{"role":"user","content":"a\x00b"}]}',
    "duplicate keys": b'{"messages":%b,"model":"nope","model":"default"}' % MESSAGES,
    "duplicate keys of which one hurts": b'{"messages":%b,"n":1000,"n":1}' % MESSAGES,
    "two objects": b'{"messages":%b}{"messages":%b}' % (MESSAGES, MESSAGES),
    "a trailing comma": b'{"messages":%b,}' % MESSAGES,
    "comments": b'{"messages":%b /* why not */}' % MESSAGES,
    "single quotes": b"{'messages':[]}",
    "an unfinished body": b'{"messages":[{"role":"user"',
    "a form": b"messages=hello&model=default",
    "negative zero": b'{"messages":%b,"temperature":-0.0,"seed":-0}' % MESSAGES,
    "keys that are odd": b'{"messages":%b,"":1,"__proto__":{"a":1},"\\u0000":2,"\xf0\x9f\x98\x80":3}' % MESSAGES,
    "wrong types everywhere": b'{"messages":{"role":1},"model":[],"stream":"yes","n":null,"tools":7}',
    "a million small values": b'{"messages":%b,"stop":[%b]}' % (MESSAGES, b",".join([b"1"] * 100_000)),
    "a very long key": b'{"messages":%b,"%b":1}' % (MESSAGES, b"k" * 200_000),
}
PATHS = [
    CHAT_PATH,
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/messages",
    "/generate_stream",
    "/session",
]


@pytest.mark.parametrize("name", ODD)
async def test_odd_json_is_never_a_server_error(stage: Stage, name: str) -> None:
    for path in PATHS:
        reply = await stage.post(ODD[name], path)
        assert reply.status < 500, (path, reply.body)
        if reply.status >= 400:
            assert reply.json["error"]["message"], path
    for request in stage.engine.requests:
        assert isinstance(request.json, dict)


async def test_what_is_sent_on_is_one_reading_of_the_body(stage: Stage) -> None:
    """The engine must not read another request out of the same bytes than the gateway checked."""
    assert (await stage.post(ODD["duplicate keys of which one hurts"])).status == 200
    assert stage.engine.requests[0].body.count(b'"n"') == 1
    assert stage.engine.requests[0].json["n"] == 1


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/json; charset=utf-16"]
)
async def test_the_content_type_is_not_believed(stage: Stage, content_type: str) -> None:
    reply = await stage.post({"messages": HELLO}, headers={"content-type": content_type})
    assert reply.status == 200


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
async def test_what_is_not_in_the_coding_it_names_is_refused(stage: Stage, encoding: str) -> None:
    reply = await stage.post(b"\x1f\x8b\x08\x00junk", headers={"content-encoding": encoding})
    assert reply.status == 415
