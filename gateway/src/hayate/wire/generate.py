"""The events of /generate_stream: `{"delta":…}` events with ids, `event: done`, `event: error`; read by a browser's EventSource."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from hayate.errors import InvalidRequest
from hayate.wire import sse
from hayate.wire.chunks import counted
from hayate.wire.decoder import DecoderState, StreamDecoder
from hayate.wire.engine_json import Unreadable, read, write
from hayate.wire.numbers import from_text
from hayate.wire.refusals import given_twice, missing, wrong

_RETRY_MS: Final = 3000
NUMBERS = {"temperature": False, "top_p": False, "max_tokens": True, "seed": True}
"""The numbers, and whether they are whole."""
_TEXTS = ("prompt", "model", "system")
FIELDS = (*_TEXTS, *NUMBERS, "stop", "conversation")


def opening_of(stream_id: str) -> bytes:
    """What a stream begins with: a browser that loses it from here on says so when it connects again."""
    return f"id: {stream_id}-0\nretry: {_RETRY_MS}\n\n".encode()


class GenerateStream(DecoderState):
    """chat.completion.chunk events in, /generate_stream's events out. One per call; `stream_id` starts every event's id, `more` is
    what `done` says beside how it ended.
    """

    __slots__ = ("_inner", "_model", "_more", "_stream_id", "sent", "told")

    def __init__(
        self, inner: StreamDecoder, *, stream_id: str, model: str, more: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        super().__init__()
        self._inner = inner
        self._stream_id = stream_id
        self._model = model
        self._more = more
        self.usage = inner.usage
        self.sent = 0
        """How many events with an id there were; the last one's number."""
        self.told = False
        """Whether `event: done` has been made."""

    def feed(self, data: bytes) -> bytes:
        """The engine's bytes as our events."""
        return self._render(self._inner.feed(data))

    def end(self) -> bytes:
        """The engine's body has ended."""
        return self._render(self._inner.end())

    def release(self) -> bytes:
        """What the engine's stream held back."""
        return self._render(self._inner.release())

    def _render(self, chunks: bytes) -> bytes:
        inner = self._inner
        self.finish_reason, self.has_output = inner.finish_reason, inner.has_output
        self.finished, self.failure = inner.finished, inner.failure
        out = [self._delta(frame) for frame in sse.frames(chunks)] if chunks else []
        if self.finished and not self.told and self.failure is None:
            self.told = True
            out.append(self._done())
        return b"".join(out)

    def _delta(self, frame: bytes) -> bytes:
        data = sse.data_of(frame)
        if data is None:
            return frame
        if data.strip() == b"[DONE]":
            return b""
        try:
            choice = read(data)["choices"][0]
        except (Unreadable, TypeError, LookupError):  # no text
            return b""
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if not isinstance(delta, dict):
            return b""
        said: dict[str, Any] = {}
        if delta.get("content"):
            said["delta"] = delta["content"]
        if reasoning := delta.get("reasoning") or delta.get("reasoning_content"):
            said["reasoning"] = reasoning
        if not said:
            return b""
        return sse.render(write(said), event_id=self._next_id())

    def _done(self) -> bytes:
        done = {"finish_reason": self.finish_reason, "usage": counted(self.usage), "model": self._model, **self._more}
        return sse.render(write(done), event="done", event_id=self._next_id())

    def _next_id(self) -> str:
        self.sent += 1
        return f"{self._stream_id}-{self.sent}"


def from_query(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """A query string's fields as the JSON body would have them. Raises InvalidRequest. `stop` may be given several times."""
    fields: dict[str, Any] = {}
    for name, text in pairs:
        if name == "stop":
            fields.setdefault("stop", []).append(text)
        elif name in fields:
            raise given_twice(name)
        elif name in NUMBERS:
            fields[name] = from_text(name, text, whole=NUMBERS[name])
        else:
            fields[name] = text
    return fields


def to_chat(fields: dict[str, Any], *, may_be_silent: bool = False) -> dict[str, Any]:
    """The request as a streaming chat completion; `may_be_silent`: there may be no prompt. Raises InvalidRequest."""
    for name in fields:
        if name in ("key", "api_key", "apikey", "token", "access_token"):
            raise InvalidRequest(
                "A key does not belong in a URL or a form: sign in once with POST /session.",
                "キーはURLに書かず、POST /session で一度サインインしてください。",
                param=name,
            )
        if name not in FIELDS:
            raise InvalidRequest(
                f"'{name}' is not a field of /generate_stream; there are {', '.join(FIELDS)}.",
                f"'{name}' は使えません。使える項目: {', '.join(FIELDS)}",
                param=name,
            )
    for name in _TEXTS:
        if fields.get(name) is not None and not isinstance(fields[name], str):
            raise wrong(name, "a string", "文字列")
    prompt = fields.get("prompt")
    if not prompt and not may_be_silent:
        raise missing("prompt")
    messages = [{"role": "user", "content": prompt}] if prompt else []
    if fields.get("system"):
        messages.insert(0, {"role": "system", "content": fields["system"]})
    rest = {name: value for name, value in fields.items() if name not in _TEXTS and value is not None}
    return {"messages": messages, "stream": True, **rest}
