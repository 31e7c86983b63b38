"""Ollama's streams as OpenAI's events: NDJSON in, chat.completion.chunk (or text_completion) out.

A line carries text, thinking, whole tool calls with their arguments as an object, or `done` with the counts;
`{"error":…}` may come at any line, under status 200.
"""

from __future__ import annotations

from typing import Any, Final

from hayate.upstream_errors import UpstreamBroke
from hayate.wire.chunks import ChunkWriter, TranslatedStream
from hayate.wire.engine_json import read, write
from hayate.wire.ndjson import LineSplitter

_REASONS: Final = {"stop": "stop", "length": "length", "": "stop"}


class OllamaStream(TranslatedStream):
    """The answer to /api/chat, or with `chat` false to /api/generate. One per call."""

    __slots__ = ("_calls", "_chat", "_lines", "_shown")

    def __init__(self, writer: ChunkWriter, *, chat: bool) -> None:
        super().__init__(writer)
        self._chat = chat
        self._lines = LineSplitter()
        self._calls = 0
        self._shown = 0

    def feed(self, data: bytes) -> bytes:
        """What of `data` may go to the client now: whole events only. May raise UpstreamBroke."""
        return self._each(self._lines.feed(data), read)

    def end(self) -> bytes:
        """The body has ended; too early, unless a line said `done`."""
        out = self._each(self._lines.rest(), read)
        return out if self.finished or self.failure else out + self._too_early()

    def _event(self, event: dict[str, Any]) -> bytes:
        out = self._deltas(event)
        return out + self._done(event) if event.get("done") else out

    def _deltas(self, event: dict[str, Any]) -> bytes:
        message = event.get("message") if self._chat else {**event, "content": event.get("response")}
        if not isinstance(message, dict):
            return b""
        out = b""
        if self._chat and (thought := message.get("thinking")):
            out += self._delta({"reasoning_content": thought})
        text, logprobs = message.get("content") or "", event.get("logprobs")
        if logprobs:
            out += self._delta({"content": text}, logprobs=self._logprobs(logprobs, text))
        elif text:
            out += self._say(text)
        if self._chat and (calls := message.get("tool_calls")):
            out += self._delta({"tool_calls": [self._call(call) for call in calls]})
        return out

    def _delta(self, delta: dict[str, Any], *, logprobs: dict[str, Any] | None = None) -> bytes:
        self.has_output = True
        self.usage.seen(1)
        return self._writer.delta(delta, logprobs=logprobs)

    def _call(self, call: dict[str, Any]) -> dict[str, Any]:
        index, self._calls = self._calls, self._calls + 1
        function = call.get("function") or {}
        arguments = function.get("arguments")
        return {
            "index": index,
            "id": call.get("id") or f"call_{self._writer.answer_id.rpartition('-')[2]}_{index}",
            "type": "function",
            "function": {
                "name": function.get("name", ""),
                "arguments": arguments
                if isinstance(arguments, str)
                else write(arguments if arguments is not None else {}).decode(),
            },
        }

    def _done(self, event: dict[str, Any]) -> bytes:
        counts = {"prompt_tokens": event.get("prompt_eval_count"), "completion_tokens": event.get("eval_count")}
        self.usage.take(counts)
        said = str(event.get("done_reason") or "")
        if said not in _REASONS:
            # `load` and `unload`: nothing was generated, the model was only moved.
            self.failure = UpstreamBroke(
                f"Ollama ended the answer with {said[:40]!r} instead of generating. Ask again.",
                f"Ollamaが生成せずに終了しました（{said[:40]!r}）。もう一度お試しください。",
            )
            return b""
        return self._finish("tool_calls" if self._calls and said != "length" else _REASONS[said])

    def _logprobs(self, given: list[dict[str, Any]], text: str) -> dict[str, Any]:
        """Ollama's list in the shape of the endpoint that was asked."""
        if self._chat:
            return {"content": [_chat_logprob(each) for each in given], "refusal": None}
        offset, self._shown = self._shown, self._shown + len(text)
        offsets = []
        for each in given:
            offsets.append(offset)
            offset += len(each.get("token", ""))
        return {
            "tokens": [each.get("token", "") for each in given],
            "token_logprobs": [each.get("logprob") for each in given],
            "top_logprobs": [
                {top.get("token", ""): top.get("logprob") for top in each.get("top_logprobs") or ()} for each in given
            ],
            "text_offset": offsets,
        }


def _chat_logprob(given: dict[str, Any]) -> dict[str, Any]:
    return {**_token(given), "top_logprobs": [_token(top) for top in given.get("top_logprobs") or ()]}


def _token(given: dict[str, Any]) -> dict[str, Any]:
    token = given.get("token", "")
    return {
        "token": token,
        "logprob": given.get("logprob"),
        "bytes": given.get("bytes") or list(token.encode("utf-8", "replace")),
    }
