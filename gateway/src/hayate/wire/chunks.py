"""Writing OpenAI's stream events, for engines that speak another dialect.

What comes out is what vLLM or llama.cpp would have sent: a role first, then deltas, a finish, the usage when it was
asked for, `[DONE]`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Final

from hayate.errors import GatewayError
from hayate.wire import sse
from hayate.wire.decoder import DecoderState
from hayate.wire.engine_errors import engine_error
from hayate.wire.engine_json import write
from hayate.wire.faults import UNREADABLE, too_early, unreadable
from hayate.wire.usage import Usage

_PLAIN_END: Final = b'},"logprobs":null,"finish_reason":null}]}\n\n'
_PLAIN_TEXT_END: Final = b',"logprobs":null,"finish_reason":null}]}\n\n'


class ChunkWriter:
    """One per call. `chat` decides between chat.completion.chunk and text_completion; `created` is in seconds since 1970."""

    __slots__ = ("_chat", "_head", "_include_usage", "_plain_head", "_told_role", "answer_id")

    def __init__(self, *, answer_id: str, created: int, model: str, chat: bool, include_usage: bool) -> None:
        self.answer_id = answer_id
        self._chat = chat
        self._include_usage = include_usage
        self._told_role = not chat
        kind = "chat.completion.chunk" if chat else "text_completion"
        head = write({"id": answer_id, "object": kind, "created": created, "model": model})
        self._head = b"data: " + head[:-1]
        part = b'"delta":{"content":' if chat else b'"text":'
        self._plain_head = self._head + b',"choices":[{"index":0,' + part

    def text(self, text: str) -> bytes:
        """A delta that holds text alone: the common case, written without a dict."""
        end = _PLAIN_END if self._chat else _PLAIN_TEXT_END
        return self._role() + self._plain_head + write(text) + end

    def delta(self, delta: dict[str, Any], *, logprobs: dict[str, Any] | None = None) -> bytes:
        """Any other delta; a text completion takes its `content`."""
        return self._role() + self._choice(delta, logprobs, None)

    def finish(self, reason: str, usage: Usage) -> bytes:
        """The end: why, what was used if the caller wants to know, and `[DONE]`."""
        out = self._role() + self._choice({}, None, reason)
        if self._include_usage:
            out += self._head + b',"choices":[],"usage":' + write(counted(usage)) + b"}\n\n"
        return out + sse.DONE

    def _role(self) -> bytes:
        if self._told_role:
            return b""
        self._told_role = True
        return self._choice({"role": "assistant", "content": ""}, None, None)

    def _choice(self, delta: dict[str, Any], logprobs: dict[str, Any] | None, reason: str | None) -> bytes:
        part: dict[str, Any] = {"delta": delta} if self._chat else {"text": delta.get("content", "")}
        choice = {"index": 0, **part, "logprobs": logprobs, "finish_reason": reason}
        return self._head + b',"choices":[' + write(choice) + b"]}\n\n"


class TranslatedStream(DecoderState, ABC):
    """What the decoders of foreign dialects share: how an event is read, what a text becomes, and how the answer ends."""

    __slots__ = ("_writer",)

    def __init__(self, writer: ChunkWriter) -> None:
        super().__init__()
        self._writer = writer

    def _say(self, text: str) -> bytes:
        self.has_output = True
        self.usage.seen(1)
        return self._writer.text(text)

    def _finish(self, reason: str) -> bytes:
        self.finish_reason = reason
        self.finished = True
        return self._writer.finish(reason, self.usage)

    @abstractmethod
    def _event(self, event: dict[str, Any]) -> bytes:
        """What one event of the dialect becomes; it is no error."""

    def _each(self, given: Iterable[bytes], parse: Callable[[bytes], Any]) -> bytes:
        """What becomes of each event, as `parse` takes it out of its bytes, until the answer has ended or failed."""
        kept: list[bytes] = []
        for each in given:
            if self.failure or self.finished:
                break
            try:
                event = parse(each)
                if not isinstance(event, dict):  # it carries nothing
                    continue
                if event.get("error"):
                    self.failure = engine_error(500, event)
                else:
                    kept.append(self._event(event))
            except GatewayError as error:
                self.failure = error
            except UNREADABLE:  # an engine may write anything
                self.failure = unreadable()
        return b"".join(kept)

    def _too_early(self) -> bytes:
        self.failure = self.failure or too_early()
        return b""


def counted(usage: Usage) -> dict[str, int]:
    """OpenAI's usage object, whose total no engine's own dialect has."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
