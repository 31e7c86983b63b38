"""What was asked and what was answered in one call, for keys of which that is kept (`record.content`).

It goes to the store and nowhere else: into no log, no label, no error. What is longer than the bound is cut off there.
"""

from __future__ import annotations


class Content:
    """Of one call. `kept_s`: how long it may be kept."""

    __slots__ = ("_answer", "answer_cut", "kept_s", "max_bytes", "prompt", "prompt_cut")

    def __init__(self, max_bytes: int, kept_s: float) -> None:
        self.max_bytes = max_bytes
        self.kept_s = kept_s
        self.prompt = b""
        self.prompt_cut = False
        self.answer_cut = False
        self._answer = bytearray()

    @property
    def answer(self) -> bytes:
        """What the client was sent."""
        return bytes(self._answer)

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.prompt) + len(self._answer)

    def asked(self, body: bytes) -> None:
        """The request's body, or its query where it has none."""
        self.prompt, self.prompt_cut = body[: self.max_bytes], len(body) > self.max_bytes

    def said(self, piece: bytes) -> None:
        """A piece of the answer."""
        room = self.max_bytes - len(self._answer)
        if len(piece) > room:
            self.answer_cut = True
            piece = piece[:room]
        self._answer += piece
