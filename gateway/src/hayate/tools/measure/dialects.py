"""The two ways to ask, and how their streams are read: OpenAI's chat completions, and /generate_stream as services have had it.

A reader is fed bytes as they arrive and says whether they held new output. It counts and never keeps the text.

    OpenAI             `data: {"choices":[{"delta":{…}}]}`, usage on request, `data: [DONE]`
    generate_stream    (1) Hayate's: {"delta":"…"}, `event: done` with usage, `event: error`
                       (2) plain text: `data: こん`, one event a token
                       (3) other JSON: {"text"|"token"|"content"|"response": "…"}, or OpenAI's chunks
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import orjson

from hayate.tools.measure.failure import Failure
from hayate.tools.measure.prompts import Messages, single_prompt
from hayate.tools.measure.target import PATHS, Api
from hayate.upstream_errors import UpstreamBroke
from hayate.wire import sse
from hayate.wire.upstream_request import UpstreamRequest

_END_EVENTS = (b"done", b"end", b"close", b"complete", b"finish", b"finished", b"stop")
_IDLE_EVENTS = (b"ping", b"heartbeat", b"start", b"open", b"meta")
_END_TEXTS = (b"[DONE]", b"[END]")
_TEXT_FIELDS = ("delta", "text", "token", "content", "response", "generated_text")


class AnswerReader:
    """What one answer has said so far. One per call."""

    def __init__(self) -> None:
        self._splitter = sse.FrameSplitter()
        self.deltas = 0
        self.chars = 0
        self.output_tokens: int | None = None
        self.prompt_tokens: int | None = None
        self.finish_reason: str | None = None
        self.served_model: str | None = None
        self.finished = False
        self.failure: Failure | None = None

    def feed(self, data: bytes) -> bool:
        """Whether `data` completes an event with new output."""
        before = self.deltas
        try:
            whole = self._splitter.feed(data)
        except UpstreamBroke as error:
            self._fail("bad_event", error.english)
            return False
        for frame in sse.frames(whole):
            self._frame(frame)
        return self.deltas > before

    def end(self) -> None:
        """The answer says that it is over, or its body has ended cleanly: is it whole?"""
        if self._splitter.tail.strip():
            self._frame(bytes(self._splitter.tail))
        if self.failure is None:
            self._judge()

    def _judge(self) -> None:
        if not self.deltas:
            self._fail("empty" if self.finished or self.finish_reason else "not_a_stream", "")

    def _frame(self, frame: bytes) -> None:
        raise NotImplementedError

    def _fail(self, reason: str, detail: str) -> None:
        if self.failure is None:
            self.failure = Failure(reason, detail)
        self.finished = True

    def _said(self, text: Any) -> None:
        if isinstance(text, str) and text:
            self.deltas += 1
            self.chars += len(text)

    def _count(self, usage: Any) -> None:
        if isinstance(usage, dict):
            self.output_tokens = _whole(usage.get("completion_tokens")) or self.output_tokens
            self.prompt_tokens = _whole(usage.get("prompt_tokens")) or self.prompt_tokens

    def _chunk(self, value: dict[str, Any]) -> None:
        """OpenAI's chunk, chat or text."""
        self._count(value.get("usage"))
        if isinstance(value.get("model"), str):
            self.served_model = value["model"]
        for choice in value["choices"] or ():
            delta = choice.get("delta") or {}
            self._said(delta.get("content") or delta.get("reasoning") or delta.get("reasoning_content"))
            self._said(choice.get("text"))
            for call in delta.get("tool_calls") or ():
                function = call.get("function") or {}
                self._said((function.get("name") or "") + (function.get("arguments") or ""))
            self.finish_reason = choice.get("finish_reason") or self.finish_reason


class ChatReader(AnswerReader):
    """An OpenAI chat completion stream. It is whole when it says why it ended: `[DONE]` alone also follows a cut."""

    def _judge(self) -> None:
        if self.finish_reason in ("abort", "error"):
            self._fail("aborted", f"finish_reason {self.finish_reason}")
        elif self.finish_reason is None and (self.finished or self.deltas):
            self._fail("cut", "[DONE] without a finish_reason" if self.finished else "")
        else:
            super()._judge()

    def _frame(self, frame: bytes) -> None:
        data = sse.data_of(frame)
        if data is None or not data.strip():
            return
        if data.strip() in _END_TEXTS:
            self.finished = True
            return
        try:
            value = orjson.loads(data)
            if value.get("error"):
                self._fail("error_event", message_of(value))
            elif "choices" in value:
                self._chunk(value)
        except (ValueError, AttributeError, TypeError, KeyError):
            self._fail("bad_event", data[:120].decode("utf-8", "replace"))


class GenerateReader(AnswerReader):
    """A /generate_stream. It is whole when it ends cleanly: old services have no other end."""

    def _frame(self, frame: bytes) -> None:
        data, event = sse.data_of(frame), sse.event_of(frame)
        if data is None or event in _IDLE_EVENTS:
            return
        value = _json_object(data)
        if event == b"error" or (value and value.get("error")):
            self._fail("error_event", message_of(value) if value else data.decode("utf-8", "replace"))
        elif event in _END_EVENTS or data.strip() in _END_TEXTS:
            self.finished = True
            self._summary(value or {})
        elif value is None:  # (2)
            self._said(data.decode("utf-8", "replace"))
        else:
            self._object(value)

    def _object(self, value: dict[str, Any]) -> None:
        self._summary(value)
        if isinstance(value.get("choices"), list):  # (3)
            try:
                self._chunk(value)
            except (AttributeError, TypeError):
                self._fail("bad_event", str(value)[:120])
            return
        named = next((value[name] for name in _TEXT_FIELDS if name in value), None)
        self._said(named)
        self._said(value.get("reasoning"))
        if value.get("done") is True or value.get("finished") is True:
            self.finished = True

    def _summary(self, value: dict[str, Any]) -> None:
        self._count(value.get("usage"))
        if isinstance(value.get("finish_reason"), str):
            self.finish_reason = value["finish_reason"]
        if isinstance(value.get("model"), str):
            self.served_model = value["model"]


def reader_of(api: Api) -> AnswerReader:
    """A fresh reader, for one answer of that dialect."""
    return ChatReader() if api == "openai" else GenerateReader()


def request_of(
    api: Api, messages: Messages, model: str | None, max_tokens: int, temperature: float | None
) -> UpstreamRequest:
    """One call's request. Raises CannotMeasure for a conversation that /generate_stream can't take."""
    fields: dict[str, Any] = {"model": model, "max_tokens": max_tokens, "temperature": temperature}
    chosen = {name: value for name, value in fields.items() if value is not None}
    if api == "openai":
        asked = {"messages": messages, "stream": True, "stream_options": {"include_usage": True}, **chosen}
        return UpstreamRequest(PATHS[api], orjson.dumps(asked))
    prompt, system = single_prompt(messages)
    query = {"prompt": prompt, **({"system": system} if system else {}), **chosen}
    headers = [(b"accept", b"text/event-stream")]
    return UpstreamRequest(f"{PATHS[api]}?{urlencode(query, quote_via=quote)}", method=b"GET", headers=headers)


def message_of(value: Any) -> str:
    """The sentence in an error as servers write it: OpenAI's, FastAPI's, or a plain string."""
    for name in ("error", "detail", "message"):
        while isinstance(value, dict) and name in value:
            value = value[name]
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _whole(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def _json_object(data: bytes) -> dict[str, Any] | None:
    if not data.lstrip().startswith(b"{"):
        return None
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
