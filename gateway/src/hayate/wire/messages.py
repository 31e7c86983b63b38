"""Anthropic's message stream, /v1/messages, and the whole message that it says.

A message is its start, its content blocks, each built up by deltas, and what the last `message_delta` adds: why it
stopped and the final counts. Text is kept in pieces and joined once, so that an answer of any length costs time by its
length.
"""

from __future__ import annotations

from typing import Any

from hayate.wire import sse
from hayate.wire.engine_errors import engine_error
from hayate.wire.engine_json import Unreadable, read, write
from hayate.wire.passthrough_stream import PassthroughStream
from hayate.wire.paths import MESSAGES

TEXTS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}
"""Which of its fields a delta continues."""
_OF_BLOCK = {"thinking_delta": "thinking", "signature_delta": "thinking", "input_json_delta": "tool_use"}


class MessageAssembler:
    """Parsed events in, the message out. One per call; `add` raises the engine's error when the stream tells one."""

    __slots__ = ("_blocks", "_message", "_usage")

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, _Block] = {}

    def add(self, event: dict[str, Any]) -> None:
        """Takes one event. Raises GatewayError for the engine's own error."""
        kind = event.get("type")
        if kind == "content_block_delta":
            delta = event["delta"]
            self._block(event, _OF_BLOCK.get(delta.get("type"), "text")).add(delta)
        elif kind == "content_block_start":
            self._blocks[int(event.get("index", 0))] = _Block(event["content_block"])
        elif kind == "message_start":
            self._message = event["message"]
            self._count(self._message.pop("usage", None))
        elif kind == "message_delta":
            self._message.update(event.get("delta") or {})
            self._count(event.get("usage"))
        elif kind == "error" or event.get("error"):
            raise engine_error(500, event)

    def answer(self) -> dict[str, Any]:
        """The whole message. Raises ValueError when there was none."""
        if not self._message:
            raise ValueError("a message without its start")
        return {
            **self._message,
            "content": [self._blocks[index].whole() for index in sorted(self._blocks)],
            "usage": self._usage,
        }

    def _block(self, event: dict[str, Any], kind: str) -> _Block:
        """The block of a delta, which an engine may have forgotten to begin."""
        index = int(event.get("index", 0))
        block = self._blocks.get(index)
        if block is None:
            block = self._blocks[index] = _Block({"type": kind})
        return block

    def _count(self, usage: Any) -> None:
        """Counts are cumulative: the last one of each name holds."""
        if isinstance(usage, dict):
            self._usage.update((name, count) for name, count in usage.items() if count is not None)


class _Block:
    """One content block on its way."""

    __slots__ = ("_begun", "_citations", "_pieces")

    def __init__(self, begun: dict[str, Any]) -> None:
        self._begun = begun
        self._pieces: dict[str, list[str]] = {}
        self._citations: list[Any] = []

    def add(self, delta: dict[str, Any]) -> None:
        """Takes one delta; of a kind nobody has heard of, nothing."""
        name = TEXTS.get(delta.get("type", ""))
        if name is not None:
            piece = delta.get(name)
            if isinstance(piece, str):
                self._pieces.setdefault(name, []).append(piece)
        elif delta.get("type") == "citations_delta":
            self._citations.append(delta.get("citation"))

    def whole(self) -> dict[str, Any]:
        """The block as a whole answer has it."""
        block = dict(self._begun)
        for name, pieces in self._pieces.items():
            if name != "partial_json":
                block[name] = (block.get(name) or "") + "".join(pieces)
        if block.get("type") == "tool_use":
            block["input"] = _input("".join(self._pieces.get("partial_json", ()))) or block.get("input") or {}
        if self._citations:
            block["citations"] = [*(block.get("citations") or ()), *self._citations]
        return block


def _input(text: str) -> Any:
    """A tool's input; nothing when the answer was cut before it was whole, as engines say it too."""
    try:
        return read(text.encode("utf-8", "surrogatepass"))
    except Unreadable:
        return None


class StartingMessages(PassthroughStream):
    """A message stream whose engine leaves out the start when its first token is only part of a character: clients that
    keep to the protocol raise at any other event, so `start` goes first.
    """

    __slots__ = ("_start", "started_late")

    def __init__(self, *, message_id: str, model: str) -> None:
        super().__init__(MESSAGES)
        message: dict[str, Any] = {
            "id": message_id,
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": model,
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        }
        start = write({"type": "message_start", "message": message})
        self._start: bytes | None = sse.render(start, event="message_start")
        self.started_late = False

    def feed(self, data: bytes) -> bytes:
        """The engine's events, after a start."""
        return self._started(super().feed(data))

    def end(self) -> bytes:
        """The engine's body has ended."""
        return self._started(super().end())

    def _started(self, whole: bytes) -> bytes:
        if self._start is None or not whole:
            return whole
        frames = sse.frames(whole)
        at = next((n for n, frame in enumerate(frames) if sse.data_of(frame)), None)
        if at is None:  # comments
            return whole
        start, self._start = self._start, None
        if b'"message_start"' in frames[at] or b'"error"' in frames[at]:
            return whole
        self.started_late = True
        return b"".join((*frames[:at], start, *frames[at:]))
