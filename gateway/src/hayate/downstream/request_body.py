"""A request's body: read whole, never more than its limit, and decoded when it came compressed."""

from __future__ import annotations

import asyncio

from hayate.downstream.stream import ClientStream
from hayate.errors import BodyTooLarge
from hayate.wire.content_coding import coding_of, decoded
from hayate.wire.http1 import header


async def read_body(stream: ClientStream, limit: int) -> bytes:
    """The whole body; `limit` holds for what came and for what it becomes. Raises BodyTooLarge, before reading when its
    length is declared; UnreadableCoding, before reading when nobody could decode it; ClientGone.
    """
    coding = coding_of(stream.headers) if b"content-encoding" in stream.fields else None
    raw = stream.arrived()
    if raw is None:
        raw = await _read(stream, limit)
    elif len(raw) > limit:
        raise too_large(limit)
    return raw if coding is None or not raw else await _decode(coding, raw, limit)


async def _read(stream: ClientStream, limit: int) -> bytes:
    declared = header(stream.headers, b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit:
        raise too_large(limit)
    parts: list[bytes] = []
    size = 0
    while True:
        part, more = await stream.read()
        size += len(part)
        if size > limit:
            raise too_large(limit)
        if not more:
            return b"".join((*parts, part)) if parts else part
        parts.append(part)


async def _decode(coding: str, raw: bytes, limit: int) -> bytes:
    """Slice by slice, with everybody else's turn in between: a few bytes may stand for very many."""
    parts: list[bytes] = []
    size = 0
    for part in decoded(coding, raw, limit):
        size += len(part)
        if size > limit:
            raise too_large(limit)
        if part:
            parts.append(part)
        await asyncio.sleep(0)
    return b"".join(parts)


def too_large(limit: int) -> BodyTooLarge:
    """413, by the setting that says so."""
    return BodyTooLarge(
        f"The request body is over {limit} bytes (server.max_body_bytes).",
        f"リクエスト本文が上限（{limit}バイト）を超えています。",
    )
