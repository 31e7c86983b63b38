"""Bodies in every content coding that clients use."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def bare_deflate(data: bytes) -> bytes:
    """Deflate without zlib's header, as some clients name `deflate`."""
    made = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return made.compress(data) + made.flush()


def flushed_zstd(data: bytes) -> bytes:
    """As a streaming client makes it: no size in the frame's header, blocks flushed one by one."""
    made = zstd.ZstdCompressor()
    return b"".join(
        made.compress(data[at : at + 1000], mode=zstd.ZstdCompressor.FLUSH_BLOCK) for at in range(0, len(data), 1000)
    ) + made.flush(zstd.ZstdCompressor.FLUSH_FRAME)


def _brotli(data: bytes) -> bytes:
    made: bytes = brotli.compress(data, quality=5)
    return made


ENCODERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "GZIP": ("GZIP", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "bare deflate": ("deflate", bare_deflate),
    "br": ("br", _brotli),
    "zstd": ("zstd", zstd.compress),
    "zstd as a stream": ("zstd", flushed_zstd),
    "zstd, hardest": ("zstd", lambda data: zstd.compress(data, 19)),
    "identity": ("identity", bytes),
    "identity, then gzip": ("identity, gzip", gzip.compress),
}
"""By a name for people: the header's value, and what makes the body."""
