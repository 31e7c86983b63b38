"""How the batching engine is asked and how it answers: vLLM's chat completions, as bytes.

A prompt has a token for every four characters, and says how long an answer it wants ("answer:400"): what every gateway
leaves alone. An answer's tokens are " t0 t1 t2 …", so whoever counts " t" counts tokens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import count

import orjson

MODEL = "batching-model"
CREATED = 1_790_000_000
CHARACTERS_PER_TOKEN = 4
DEFAULT_ANSWER = 16
ASKED = re.compile(r"answer:(\d+)")
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nserver: uvicorn\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
END = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request asks for, in tokens."""

    prompt: int
    answer: int
    cut: bool
    """`max_tokens` ends the answer before its end."""
    stream: bool
    usage: bool

    @property
    def reason(self) -> bytes:
        """Why the answer ends, in OpenAI's words."""
        return b"length" if self.cut else b"stop"


class NotAsked(Exception):
    """The request can't be answered; its text says why."""


def parse_wish(body: bytes, max_model_len: int) -> Wish:
    """Reads a chat request. Raises NotAsked."""
    try:
        fields = orjson.loads(body)
        texts = [each["content"] for each in fields["messages"]]
        prompt = max(sum(map(len, texts)) // CHARACTERS_PER_TOKEN, 1)
        found = ASKED.search(texts[-1])
        limit = fields.get("max_completion_tokens") or fields.get("max_tokens") or max_model_len
        wanted = int(found[1]) if found else DEFAULT_ANSWER
        usage = bool((fields.get("stream_options") or {}).get("include_usage"))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise NotAsked("a chat request with messages of text is understood, and nothing else") from None
    room = max_model_len - prompt
    answer = min(wanted, limit, room)
    if answer < 1:
        raise NotAsked(f"This model's maximum context length is {max_model_len} tokens, your prompt has {prompt}.")
    return Wish(prompt, answer, answer < wanted, bool(fields.get("stream")), usage)


def text(first: int, end: int) -> bytes:
    """The tokens of an answer from `first` to before `end`: each begins with " t" and nothing else does."""
    return b"".join([b" t%d" % number for number in range(first, end)])


def response(status: bytes, body: bytes, kind: bytes = b"application/json") -> bytes:
    """A whole HTTP response."""
    return b"HTTP/1.1 %b\r\nserver: uvicorn\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (
        status,
        kind,
        len(body),
        body,
    )


def refusal(message: str) -> bytes:
    """Why a request is not answered."""
    fields = {"message": message, "type": "BadRequestError", "param": None, "code": 400}
    return response(b"400 Bad Request", orjson.dumps({"error": fields}))


def _framed(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


class Rendering:
    """The bytes of one answer."""

    __slots__ = ("_head", "_sent", "_wish")

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._sent = 0
        kind = b"chat.completion.chunk" if wish.stream else b"chat.completion"
        self._head = b'{"id":"chatcmpl-%024x","object":"%b","created":%d,"model":"%b","choices":[' % (
            next(_numbers),
            kind,
            CREATED,
            MODEL.encode(),
        )

    def events(self, produced: int, interval: int) -> bytes:
        """What a stream says of the tokens that are new: an event for each `interval` of them, for the first, and at the end."""
        finished, parts = produced >= self._wish.answer, list[bytes]()
        if not finished and self._sent and produced - self._sent < interval:
            return b""
        if not self._sent:
            parts.append(self._event(b'{"role":"assistant","content":""}'))
        parts.append(self._event(b'{"content":"%b"}' % text(self._sent, produced)))
        self._sent = produced
        if finished:
            parts.append(self._event(b'{"content":""}', b'"%b","stop_reason":null' % self._wish.reason))
            if self._wish.usage:
                parts.append(_framed(b"data: " + self._head + b'],"usage":%b}\n\n' % self._usage()))
            parts.append(END)
        return b"".join(parts)

    def whole(self) -> bytes:
        """The response that is no stream."""
        message = b'{"role":"assistant","content":"%b"}' % text(0, self._wish.answer)
        choice = b'{"index":0,"message":%b,"logprobs":null,"finish_reason":"%b"}' % (message, self._wish.reason)
        return response(b"200 OK", self._head + choice + b'],"usage":%b}' % self._usage())

    def _event(self, delta: bytes, reason: bytes = b"null") -> bytes:
        return _framed(
            b'data: %b{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}]}\n\n' % (self._head, delta, reason)
        )

    def _usage(self) -> bytes:
        prompt, answer = self._wish.prompt, self._wish.answer
        return b'{"prompt_tokens":%d,"total_tokens":%d,"completion_tokens":%d}' % (prompt, prompt + answer, answer)


def models(max_model_len: int) -> bytes:
    """The answer of /v1/models."""
    one = {"id": MODEL, "object": "model", "created": CREATED, "owned_by": "vllm", "max_model_len": max_model_len}
    return response(b"200 OK", orjson.dumps({"object": "list", "data": [one]}))
