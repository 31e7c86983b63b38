"""Answers that an engine, or what stands before it, compresses although it was asked not to: expanded as they arrive.

What one read of the connection may become is bounded, and so is the memory for it; the time is linear in what comes
out.
"""

from __future__ import annotations

from hayate.upstream_errors import UpstreamBroke
from hayate.wire.content_coding import BROKEN, CODINGS, CUT_OFF, NOT_ALL, NOT_VALID, Decoder, MoreThanOne, decoder_of

MAX_AT_ONCE_BYTES = 16 * 1024 * 1024
"""One read is at most 256 KiB: more than this out of it is no answer of a model's."""
_WINDOW_BYTES = 8 * 1024 * 1024 - 1


class Expander:
    """One compressed body: pieces in, its content out. One per answer."""

    __slots__ = ("_decoder", "_name", "_some")

    def __init__(self, name: str, decoder: Decoder) -> None:
        self._name = name
        self._decoder = decoder
        self._some = False

    @classmethod
    def of(cls, coding: bytes) -> Expander | None:
        """For a Content-Encoding field; None where nothing was done. Raises UpstreamBroke for a coding that nobody knows."""
        name = coding.strip().lower().decode("latin-1").removeprefix("x-")
        if name in ("", "identity"):
            return None
        if name not in CODINGS:
            shown = name[:60].encode("unicode_escape").decode("ascii")
            raise UpstreamBroke(
                f"The engine's answer has the Content-Encoding '{shown}', which can't be read, although it was asked for none.",
                f"エンジンの応答の Content-Encoding '{shown}' は展開できません（圧縮なしを要求しています）。",
            )
        return cls(name, decoder_of(name, _WINDOW_BYTES))

    @property
    def complete(self) -> bool:
        """Whether the body may end here."""
        return self._decoder.ended or not self._some

    def feed(self, data: bytes, *, last: bool = False) -> bytes:
        """The content of the next piece; `last`: nothing follows. Raises UpstreamBroke."""
        parts: list[bytes] = []
        size = 0
        self._some = self._some or bool(data)
        try:
            while data or self._decoder.full:
                part = self._decoder.decode(data)
                data = b""
                parts.append(part)
                size += len(part)
                if size > MAX_AT_ONCE_BYTES:
                    raise self._unusable("it expands to far too much", "展開後のサイズが大きすぎます")
        except BROKEN:
            raise self._unusable(*NOT_VALID) from None
        except MoreThanOne:
            raise self._unusable(*NOT_ALL) from None
        if last and not self.complete:
            raise self._unusable(*CUT_OFF)
        return b"".join(parts)

    def _unusable(self, english: str, japanese: str) -> UpstreamBroke:
        return UpstreamBroke(
            f"The engine's answer can't be decoded as {self._name}: {english}.",
            f"エンジンの応答を {self._name} として展開できません。{japanese}。",
        )
