"""A chat's stream as a response's: chat.completion.chunk events in, the typed events of /v1/responses out, in OpenAI's order.

    response.created, response.in_progress
    for each item: output_item.added, its content by deltas, what it came to, output_item.done
    response.completed, or .incomplete where the answer was cut by its limit

Reasoning, text, refusals and function calls become items in the order in which they begin. An item is closed when another
one begins; a call only once its arguments are whole, for engines that make several calls at the same time. Why the answer
ended is said with its usage, which comes last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from hayate.upstream_errors import AnswerTooLarge
from hayate.wire import sse
from hayate.wire.call_items import CallItem
from hayate.wire.decoder import DecoderState, StreamDecoder
from hayate.wire.engine_json import Unreadable, read, write
from hayate.wire.faults import UNREADABLE, unreadable
from hayate.wire.json_text import mended
from hayate.wire.output_items import Events, Logprobs, TextItem, tokens_of
from hayate.wire.response_object import ResponseObject, response_usage
from hayate.wire.tool_names import ToolNames

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""Of the chat's events: what a response says is kept until its end, which says it all once more."""
_CUT: Final = {"length": "max_output_tokens", "content_filter": "content_filter"}
"""Why an answer is incomplete, by the chat's word for it."""


@dataclass(frozen=True, slots=True)
class Makes:
    """What a stream can't know by itself."""

    new_id: Callable[[str], str]
    """An id that begins with this."""
    now: Callable[[], float]
    """The time in seconds since 1970."""
    names: ToolNames = field(default_factory=ToolNames)
    """What the names of the tools that the model calls stand for."""


class ResponsesStream(DecoderState):
    """One per call. `inner` reads the engine's stream; a `quiet` one writes no events: what is wanted is `response`.

    `one_call`: the request allows no more than one function call, and not every engine heeds that.
    """

    __slots__ = (
        "_calls",
        "_events",
        "_inner",
        "_items",
        "_latest",
        "_logprobs",
        "_makes",
        "_object",
        "_one_call",
        "_reason",
        "_reported",
        "_size",
        "_state",
        "_text",
    )

    def __init__(
        self,
        inner: StreamDecoder,
        answer: ResponseObject,
        makes: Makes,
        *,
        quiet: bool = False,
        one_call: bool = False,
    ) -> None:
        super().__init__()
        self.usage = inner.usage
        self._inner = inner
        self._object = answer
        self._makes = makes
        self._one_call = one_call
        self._events = Events(quiet=quiet)
        self._items: list[TextItem | CallItem] = []
        self._text: tuple[TextItem, bool] | None = None
        """The message that is open, or the piece of reasoning, and which of the two it is."""
        self._calls: dict[int, CallItem] = {}
        self._latest: CallItem | None = None
        """The call that was begun last, until another item begins."""
        self._logprobs: Logprobs = []
        """Of tokens whose text is still to come."""
        self._reason: str | None = None
        self._reported: Any = None
        self._size = 0
        self._state: dict[str, Any] | None = None

    @property
    def next_number(self) -> int:
        """One more than the last event has."""
        return self._events.number

    @property
    def output(self) -> list[dict[str, Any]]:
        """The items as far as they have come."""
        return [item.whole() for item in self._items]

    @property
    def response(self) -> dict[str, Any]:
        """The whole response, once it has ended. Raises ValueError before."""
        if not self.finished or self._state is None:
            raise ValueError("a response without an end")
        return self._object.whole(self._state)

    def feed(self, data: bytes) -> bytes:
        """The engine's bytes as a response's events."""
        return self._render(self._inner.feed(data))

    def end(self) -> bytes:
        """The engine's body has ended."""
        return self._render(self._inner.end())

    def release(self) -> bytes:
        """What the engine's stream held back."""
        chunks = self._inner.release()
        return self._render(chunks) if chunks else b""

    def _render(self, chunks: bytes) -> bytes:
        inner = self._inner
        out = [] if self._state is not None else [self._begin()]
        if chunks:
            self._size += len(chunks)
            if self._size > MAX_ANSWER_BYTES:
                self.failure = _too_large()
                return b"".join(out)
            self._read_each(sse.frames(chunks), out)
        self.has_output, self.failure = inner.has_output, self.failure or inner.failure
        if inner.finished and not self.finished and self.failure is None:
            out.append(self._finish(self._reason or inner.finish_reason))
        return b"".join(out)

    def _read_each(self, frames: list[bytes], out: list[bytes]) -> None:
        try:
            for frame in frames:
                out.append(self._frame(frame))  # noqa: PERF401  # what came before a fault goes out
        except UNREADABLE:  # an engine may write anything
            self.failure = unreadable()

    def _frame(self, frame: bytes) -> bytes:
        data = sse.data_of(frame)
        if data is None:
            return frame  # a comment
        if data.startswith(b"[DONE]"):
            return b""
        chunk = _read(data)
        if type(chunk) is not dict:
            return b""
        self._reported = chunk.get("usage") or self._reported
        choices = chunk.get("choices")
        choice = choices[0] if type(choices) is list and choices else None
        if type(choice) is not dict or choice.get("index"):  # a response is one answer
            return b""
        delta, logprobs, reason = choice.get("delta"), choice.get("logprobs"), choice.get("finish_reason")
        out = self._delta(delta, logprobs) if type(delta) is dict and delta else b""
        if reason:
            self._reason = str(reason)
            out += self._close_all(self._reason in _CUT)
        return out

    def _delta(self, delta: dict[str, Any], logprobs: Any) -> bytes:
        if logprobs:
            self._logprobs += tokens_of(logprobs)
        out = b""
        thought = delta.get("reasoning") or delta.get("reasoning_content")
        if thought and type(thought) is str:
            out += self._say("reasoning_text", thought)
        text = delta.get("content")
        if text and type(text) is str:
            out += self._say("output_text", text)
        refusal = delta.get("refusal")
        if refusal and type(refusal) is str:
            out += self._say("refusal", refusal)
        calls = delta.get("tool_calls")
        if calls and type(calls) is list:
            out += b"".join([self._call(n, call) for n, call in enumerate(calls) if type(call) is dict])
        return out

    def _say(self, kind: str, text: str) -> bytes:
        logprobs, self._logprobs = self._logprobs, []
        reasoning = kind == "reasoning_text"
        opened = b""
        if self._text is None or self._text[1] is not reasoning:
            opened = self._close_text("completed") + self._close_latest()
            item_id = self._makes.new_id("rs" if reasoning else "msg")
            item = TextItem(self._events, item_id, len(self._items), reasoning=reasoning)
            self._items.append(item)
            self._text = item, reasoning
            opened += item.open()
        return opened + self._text[0].say(kind, text, logprobs if kind == "output_text" else [])

    def _call(self, n: int, call: dict[str, Any]) -> bytes:
        at = call.get("index")
        at = at if type(at) is int else n
        function = call.get("function")
        function = function if type(function) is dict else {}
        name, arguments = str(function.get("name") or ""), _arguments(function.get("arguments"))
        known = self._calls.get(at)
        if known is not None:
            return known.add(name, arguments) if known.status == "in_progress" else b""
        if self._one_call and self._calls:
            return b""
        opened = self._close_text("completed") + self._close_latest()
        call_id = str(call.get("id") or "") or self._makes.new_id("call")
        names = self._makes.names
        item_id = self._makes.new_id("ctc" if names.called(name).custom else "fc")
        item = CallItem(self._events, item_id, len(self._items), call_id=call_id, names=names)
        self._items.append(item)
        self._calls[at] = self._latest = item
        return opened + item.add(name, arguments)

    def _close_text(self, status: str) -> bytes:
        text, self._text = self._text, None
        return b"" if text is None else text[0].close(status)

    def _close_latest(self) -> bytes:
        """The last call, if it needs no more. Each is looked at once."""
        call, self._latest = self._latest, None
        return call.close("completed") if call is not None and call.is_whole else b""

    def _close_all(self, cut: bool) -> bytes:
        status = "incomplete" if cut else "completed"
        out = [self._close_text(status), self._close_latest()]
        out += [call.close(status) for call in self._calls.values() if call.status == "in_progress"]
        return b"".join(out)

    def _begin(self) -> bytes:
        self._state = _state("in_progress")
        if self._events.quiet:
            return b""
        response = b'"response":' + self._object.written(self._state)
        return b"".join([self._events.written(f"response.{name}", response) for name in ("created", "in_progress")])

    def _finish(self, reason: str | None) -> bytes:
        why = _CUT.get(reason or "")
        out = self._close_all(why is not None)
        status = "completed" if why is None else "incomplete"
        self._state = {
            **_state(status),
            "completed_at": int(self._makes.now()) if why is None else None,
            "incomplete_details": None if why is None else {"reason": why},
            "output": self.output,
            "usage": response_usage(self.usage, self._reported),
        }
        self.finished, self.finish_reason = True, f"response.{status}"
        if self._events.quiet:
            return out
        return out + self._events.written(self.finish_reason, b'"response":' + self._object.written(self._state))


def _state(status: str) -> dict[str, Any]:
    """What of a response changes on its way."""
    return {
        "status": status,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
    }


def _read(data: bytes) -> Any:
    """A chunk; None for one that no reading makes sense of. Texts pass the inner stream unread, whatever is in them."""
    try:
        return read(data)
    except Unreadable:
        pass
    try:
        return read(mended(data))
    except Unreadable:
        return None


def _arguments(given: Any) -> str:
    """As text, whatever an engine makes of them."""
    if given is None:
        return ""
    return given if isinstance(given, str) else write(given).decode()


def _too_large() -> AnswerTooLarge:
    return AnswerTooLarge(
        f"The engine's answer is over {MAX_ANSWER_BYTES} bytes, more than a response may hold here.",
        f"エンジンの回答が{MAX_ANSWER_BYTES}バイトを超えました。レスポンスとして扱える大きさを超えています。",
    )
