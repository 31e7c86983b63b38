"""Bodies that come compressed: gzip, deflate, br, zstd. Those of requests; answers of engines are `expand`'s.

Operations: name a request's coding, decode a body that has arrived.
Goals: what is decoded is never more than a slice beyond its limit, whatever the bytes claim; time is linear in what
comes in and what goes out; no slice takes long, so that whoever decodes can let others go on in between.
Plan: the body is fed in small pieces to a decoder that gives out no more than asked. One stream is one body: what
follows its end is refused, for a body of very many tiny streams costs far more than its length.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Protocol

import brotli

from hayate.errors import GatewayError, UnreadableCoding
from hayate.wire.http1 import Headers

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE_BYTES = 64 * 1024
SLICE_BYTES = 256 * 1024
_MIN_WINDOW_LOG, _MAX_WINDOW_LOG = 23, 27
"""8 MiB is what every zstd decoder must take (RFC 9659); beyond that, no more window than the whole body may have."""
NOT_VALID = ("it is not valid", "正しい形式ではありません")
NOT_ALL = ("something follows its end", "終端の後にデータがあります")
CUT_OFF = ("its end is missing", "途中で切れています")
"""What may be wrong with a body, of either side, in English and Japanese."""
_NAME = itemgetter(0)


class Decoder(Protocol):
    """One stream. `decode` gives `SLICE_BYTES` at most, brotli twice that; while it is `full`, it has more to give for b""."""

    full: bool
    ended: bool

    def decode(self, data: bytes | memoryview) -> bytes:
        """What comes out. Raises one of `BROKEN`."""


class _Zlib:
    """gzip and deflate. `window_bits` as zlib has them."""

    def __init__(self, window_bits: int) -> None:
        self._inner = zlib.decompressobj(window_bits)
        self.full = self.ended = False

    def decode(self, data: bytes | memoryview) -> bytes:
        """As `Decoder` says: a slice at most, the rest on the next call."""
        out = self._inner.decompress(self._inner.unconsumed_tail or data, SLICE_BYTES)
        self.full = len(out) == SLICE_BYTES or bool(self._inner.unconsumed_tail)
        self.ended = self._inner.eof
        if self._inner.unused_data:
            raise MoreThanOne
        return out


class _Deflate:
    """zlib's format, as the name means (RFC 9110, 8.4.1.2), or bare deflate, as some clients send: the first bytes tell."""

    def __init__(self) -> None:
        self._start = b""
        self._inner: _Zlib | None = None
        self.full = self.ended = False

    def decode(self, data: bytes | memoryview) -> bytes:
        """As `Decoder` says: a slice at most, the rest on the next call."""
        if self._inner is None:
            self._start += data
            if len(self._start) < 2:
                return b""
            has_header = self._start[0] & 0x0F == 8 and int.from_bytes(self._start[:2], "big") % 31 == 0
            self._inner, data = _Zlib(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS), self._start
        out = self._inner.decode(data)
        self.full, self.ended = self._inner.full, self._inner.ended
        return out


class _Brotli:
    """br."""

    def __init__(self) -> None:
        self._inner = brotli.Decompressor()
        self.full = self.ended = False

    def decode(self, data: bytes | memoryview) -> bytes:
        """As `Decoder` says: a slice at most, the rest on the next call."""
        if self.ended and data:
            raise MoreThanOne
        out: bytes = self._inner.process(bytes(data), output_buffer_limit=SLICE_BYTES)
        self.ended = self._inner.is_finished()
        self.full = not self.ended and (len(out) >= SLICE_BYTES or not self._inner.can_accept_more_data())
        return out


class _Zstd:
    """zstd."""

    def __init__(self, limit_bytes: int) -> None:
        window_log = min(max(_MIN_WINDOW_LOG, limit_bytes.bit_length()), _MAX_WINDOW_LOG)
        self._inner = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: window_log})
        self.full = self.ended = False

    def decode(self, data: bytes | memoryview) -> bytes:
        """As `Decoder` says: a slice at most, the rest on the next call."""
        if self.ended and data:
            raise MoreThanOne
        out = self._inner.decompress(data, SLICE_BYTES)
        self.ended = self._inner.eof
        self.full = not (self.ended or self._inner.needs_input)
        if self.ended and self._inner.unused_data:
            raise MoreThanOne
        return out


class MoreThanOne(Exception):
    """Something follows the end of the stream."""


BROKEN = (zlib.error, brotli.error, zstd.ZstdError)
_DECODERS: dict[str, Callable[[int], Decoder]] = {
    "gzip": lambda _: _Zlib(zlib.MAX_WBITS | 16),
    "deflate": lambda _: _Deflate(),
    "br": lambda _: _Brotli(),
    "zstd": _Zstd,
}
CODINGS = tuple(_DECODERS)


def decoder_of(coding: str, limit_bytes: int) -> Decoder:
    """For one body in `coding`, one of `CODINGS`, that may have `limit_bytes`."""
    return _DECODERS[coding](limit_bytes)


def coding_of(headers: Headers) -> str | None:
    """The coding of a request's body, one of `CODINGS`, or None when it comes as it is. Raises UnreadableCoding."""
    if b"content-encoding" not in map(_NAME, headers):
        return None
    listed = b",".join(value for name, value in headers if name == b"content-encoding").decode("latin-1").lower()
    names = [name for each in listed.split(",") if (name := each.strip().removeprefix("x-")) not in ("", "identity")]
    if not names:
        return None
    if len(names) == 1 and names[0] in _DECODERS:
        return names[0]
    shown = ", ".join(names)[:60].encode("unicode_escape").decode("ascii")
    raise UnreadableCoding(
        f"Content-Encoding '{shown}' can't be read. Send the body as it is, or with one of {', '.join(CODINGS)}.",
        f"Content-Encoding '{shown}' には対応していません。圧縮せずに送るか、{'、'.join(CODINGS)} のいずれか1つを使ってください。",
    )


def decoded(coding: str, body: bytes, limit_bytes: int) -> Iterator[bytes]:
    """The body's content in slices, which may be empty. Raises UnreadableCoding when it is not what it says it is; goes
    a slice beyond `limit_bytes` at most, where whoever takes the slices must have stopped.
    """
    decoder = decoder_of(coding, limit_bytes)
    left_bytes = limit_bytes
    data = memoryview(body)
    try:
        for start in range(0, len(data), PIECE_BYTES):
            out = decoder.decode(data[start : start + PIECE_BYTES])
            while True:
                yield out
                left_bytes -= len(out)
                if left_bytes < 0:
                    return
                if not decoder.full:
                    break
                out = decoder.decode(b"")
    except BROKEN:
        raise _invalid(coding, *NOT_VALID) from None
    except MoreThanOne:
        raise _invalid(coding, *NOT_ALL) from None
    if not decoder.ended:
        raise _invalid(coding, *CUT_OFF)


def _invalid(coding: str, english: str, japanese: str) -> GatewayError:
    return UnreadableCoding(
        f"The request body can't be decoded as {coding}: {english}.",
        f"リクエスト本文を {coding} として展開できません。{japanese}。",
    )
