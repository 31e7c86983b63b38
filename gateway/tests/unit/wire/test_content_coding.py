"""Compressed bodies: the same content whatever the coding, never much more than the limit, time by length."""

from __future__ import annotations

import gzip
import random
import sys
import time
import tracemalloc
import zlib
from typing import Any

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import UnreadableCoding
from hayate.wire.content_coding import CODINGS, SLICE_BYTES, coding_of, decoded
from tests.support.compress import ENCODERS, flushed_zstd
from tests.support.tables import table

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT = 1 << 20
REAL = {name: made for name, made in ENCODERS.items() if "identity" not in name}


def coding(name: str) -> str:
    found = coding_of([(b"content-encoding", ENCODERS[name][0].encode())])
    assert found is not None
    return found


def take(name: str, body: bytes, limit: int = LIMIT) -> bytes:
    """What whoever keeps to the limit gets."""
    parts: list[bytes] = []
    for part in decoded(name, body, limit):
        assert len(part) <= 2 * SLICE_BYTES
        parts.append(part)
        if sum(map(len, parts)) > limit:
            break
    return b"".join(parts)


@table("name", REAL)
@table("size", [0, 1, 2, 1000, SLICE_BYTES - 1, SLICE_BYTES, SLICE_BYTES + 1, LIMIT])
@table("content", ["text", "noise", "zeros"])
def test_the_content_is_what_went_in(name: str, size: int, content: str) -> None:
    whole = {
        "text": "日本語のプロンプト。".encode() * (size // 10 + 1),
        "noise": random.Random(7).randbytes(size),
        "zeros": bytes(size),
    }[content][:size]
    assert take(coding(name), ENCODERS[name][1](whole)) == whole


@table("name", REAL)
@table("times", [50, 3000])
def test_a_bomb_ends_a_slice_after_the_limit(name: str, times: int) -> None:
    bomb = ENCODERS[name][1](bytes(times * LIMIT // 50))
    tracemalloc.start()
    try:
        got = take(coding(name), bomb, LIMIT // 2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert LIMIT // 2 < len(got) <= LIMIT // 2 + 2 * SLICE_BYTES
    assert peak < 12 * LIMIT


@table("name", REAL)
def test_a_body_that_is_cut_is_refused(name: str) -> None:
    whole = ENCODERS[name][1](b"a body of some length " * 50)
    for keep in range(1, len(whole) - 1):
        with pytest.raises(UnreadableCoding, match=r"end is missing|not valid"):
            take(coding(name), whole[:keep])


@table("name", REAL)
@table("behind", [b"x", b"\x00" * 8, "itself"])
def test_what_follows_the_end_is_refused(name: str, behind: bytes | str) -> None:
    whole = ENCODERS[name][1](b"hello")
    with pytest.raises(UnreadableCoding, match=r"follows its end|not valid"):
        take(coding(name), whole + (whole if isinstance(behind, str) else behind))


@given(st.sampled_from(CODINGS), st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(name: str, body: bytes) -> None:
    try:
        take(name, body)
    except UnreadableCoding:
        pass


@given(st.sampled_from(sorted(REAL)), st.data())
def test_a_body_with_one_byte_changed_is_read_or_refused(name: str, data: st.DataObject) -> None:
    whole = bytearray(ENCODERS[name][1](b"a body of some length " * 50))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        take(coding(name), bytes(whole))
    except UnreadableCoding:
        pass


def _many_tables(size: int) -> bytes:
    made = zlib.compressobj(9)
    some = "".join(chr(32 + n % 90) * (n % 7) for n in range(400)).encode()
    block = made.compress(some) + made.flush(zlib.Z_FULL_FLUSH)
    return block + block[2:] * (size // len(block))


def _many_flushes(size: int) -> bytes:
    made: Any = brotli.Compressor(quality=1)
    return b"".join(made.process(b"ab") + made.flush() for _ in range(size // 8))


ADVERSARIES = {
    "empty gzip members": lambda size: gzip.compress(b"") * (size // 20),
    "empty stored blocks": lambda size: b"\x78\x9c" + b"\x00\x00\x00\xff\xff" * (size // 5),
    "empty zstd frames": lambda size: zstd.compress(b"") * (size // 9),
    "skippable zstd frames": lambda size: b"\x50\x2a\x4d\x18\x00\x00\x00\x00" * (size // 8),
    "tiny flushed zstd blocks": lambda size: flushed_zstd(random.Random(7).randbytes(size // 2)),
    "dynamic tables for nothing": _many_tables,
    "brotli's flushes": _many_flushes,
}
OF = {"gzip": "gzip", "stored": "deflate", "zstd": "zstd", "tables": "deflate", "brotli": "br"}


@table("name", ADVERSARIES)
def test_time_is_linear_whatever_the_bytes(name: str) -> None:
    """Eight times the bytes may not cost thirty times the time; small enough sizes that a busy machine's pauses matter little."""
    used = next(each for word, each in OF.items() if word in name)

    def cost_s(size: int) -> float:
        body = ADVERSARIES[name](size)
        costs = []
        for _ in range(3):
            began = time.process_time()
            try:
                take(used, body, 1 << 24)
            except UnreadableCoding:
                pass
            costs.append(time.process_time() - began)
        return min(costs)

    assert cost_s(1 << 20) < 30 * max(cost_s(1 << 17), 0.002)


def test_a_window_of_more_than_a_body_is_refused() -> None:
    options = {int(zstd.CompressionParameter.window_log): 27}
    made = zstd.ZstdCompressor(options=options)
    body = made.compress(b"x" * 1000, mode=zstd.ZstdCompressor.FLUSH_BLOCK) + made.flush()
    with pytest.raises(UnreadableCoding, match="not valid"):
        take("zstd", body)
    assert take("zstd", body, 1 << 27) == b"x" * 1000


@table(
    ("values", "shown"),
    [
        (["lzma"], "lzma"),
        (["compress"], "compress"),
        (["gzip, br"], "gzip, br"),
        (["gzip", "gzip"], "gzip, gzip"),
        (["gzip;q=1"], "gzip;q=1"),
        (["é\x1b[2J"], r"\xe9\x1b[2j"),
    ],
)
def test_other_codings_are_refused_by_name(values: list[str], shown: str) -> None:
    with pytest.raises(UnreadableCoding) as refused:
        coding_of([(b"content-encoding", value.encode("latin-1")) for value in values])
    assert f"'{shown}'" in refused.value.english
    assert f"'{shown}'" in refused.value.japanese
    assert all(name in refused.value.english for name in CODINGS)


@table("values", [[], ["identity"], [""], ["identity, identity"], [" , "]])
def test_a_body_may_come_as_it_is(values: list[str]) -> None:
    assert coding_of([(b"host", b"x"), *((b"content-encoding", value.encode()) for value in values)]) is None
