"""What is asked and what a whole answer is: the one source for the stub engine, the load client and the tests.

A request says in its prompt how it wants to be answered ("stub:RATE:TOKENS"), because the prompt is the one thing that
every gateway leaves alone. RATE is events per second in thousandths, 0 for a burst. The rule: an answer is a constant
for its number of tokens, so a whole answer is checked by one comparison of bytes, and only what differs is looked into.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

MODEL = "stub-model"
TOKENS = 64
CREATED = 1_790_000_000
ASKED = re.compile(rb"stub:(\d+):(\d+)")
STREAM = re.compile(rb'"stream"\s*:\s*true')
INCLUDE_USAGE = re.compile(rb'"include_usage"\s*:\s*true')
_COMMENT = re.compile(rb"^:.*\n", re.MULTILINE)
TOKEN_MARK = b'"content":"'
"""Once in every frame that carries a token and in no other."""
PROMPT_TOKENS = 24
_WORDS = (
    "疾風",
    "は",
    "薄い",
    "ゲート",
    "ウェイ",
    "です",
    "。",
    " It",
    " relays",
    " tokens",
    " as they",
    " come",
    ".",
    "\n",
    "こん",
    "にちは",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """How one request wants to be answered."""

    stream: bool
    tokens: int = TOKENS
    rate: float = 0.0
    """Events per second; 0 is as fast as they go."""
    usage: bool = True

    def body(self) -> bytes:
        """The JSON a client sends."""
        prompt = f"Tell me about the gateway. stub:{round(self.rate * 1000)}:{self.tokens}"
        fields: dict[str, Any] = {
            "model": MODEL,
            "messages": [
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": prompt},
            ],
            "max_tokens": self.tokens,
            "temperature": 0.7,
        }
        if self.stream:
            fields["stream"] = True
            if self.usage:
                fields["stream_options"] = {"include_usage": True}
        return json.dumps(fields).encode()


def parse_asked(body: bytes) -> Asked | None:
    """What a request body asks for, however a gateway has re-serialised it; None when it asks for nothing known."""
    found = ASKED.search(body)
    if found is None:
        return None
    rate, tokens = int(found[1]) / 1000, int(found[2])
    return Asked(
        stream=STREAM.search(body) is not None, tokens=tokens, rate=rate, usage=INCLUDE_USAGE.search(body) is not None
    )


def word(index: int) -> str:
    """The text of one token: neighbours differ, so a lost or swapped frame changes the answer."""
    return f"{_WORDS[index % len(_WORDS)]}{index}"


def _usage(tokens: int) -> dict[str, int]:
    return {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": tokens, "total_tokens": PROMPT_TOKENS + tokens}


def _frame(choices: list[dict[str, Any]], usage: dict[str, int] | None = None) -> bytes:
    fields: dict[str, Any] = {
        "id": "chatcmpl-5f0c1d2e3a4b5c6d",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": MODEL,
        "choices": choices,
    }
    if usage is not None:
        fields["usage"] = usage
    return b"data: " + json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


@cache
def token_frames(tokens: int) -> tuple[bytes, ...]:
    """One SSE event of about 200 bytes for each token."""

    def delta(index: int) -> dict[str, str]:
        return {"role": "assistant", "content": word(index)} if index == 0 else {"content": word(index)}

    return tuple(
        _frame([{"index": 0, "delta": delta(n), "logprobs": None, "finish_reason": None}]) for n in range(tokens)
    )


def stamped_frame(due_ns: int) -> bytes:
    """An SSE event whose token says when it was due, by the machine's monotonic clock, in as many digits whenever that is."""
    return _frame([{"index": 0, "delta": {"content": f"due:{due_ns:019d} "}, "logprobs": None, "finish_reason": None}])


@cache
def closing_frames(tokens: int, usage: bool) -> tuple[bytes, ...]:
    """The finish event, the usage event when asked for, and [DONE]."""
    finish = _frame([{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "length"}])
    counted = (_frame([], _usage(tokens)),) if usage else ()
    return finish, *counted, b"data: [DONE]\n\n"


@cache
def stream_answer(tokens: int, usage: bool = True) -> bytes:
    """The body of a whole streamed answer."""
    return b"".join(token_frames(tokens) + closing_frames(tokens, usage))


@cache
def answer_text(tokens: int) -> str:
    """The text of a whole answer."""
    return "".join(word(n) for n in range(tokens))


@cache
def plain_answer(tokens: int) -> bytes:
    """The body of a whole answer that is not streamed."""
    message = {"role": "assistant", "content": answer_text(tokens)}
    fields = {
        "id": "chatcmpl-5f0c1d2e3a4b5c6d",
        "object": "chat.completion",
        "created": CREATED,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "length"}],
        "usage": _usage(tokens),
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def complaint_about(asked: Asked, body: bytes) -> str | None:
    """What is wrong with an answer whose bytes differ from the engine's; None when it says the same in other bytes."""
    try:
        return _stream_complaint(asked, body) if asked.stream else _plain_complaint(asked, json.loads(body))
    except (ValueError, KeyError, IndexError, TypeError) as error:
        return f"not a chat answer ({type(error).__name__})"


def _stream_complaint(asked: Asked, body: bytes) -> str | None:
    events = [event for each in _COMMENT.sub(b"", body).split(b"\n\n") if (event := each.strip(b"\n"))]
    if not events or events[-1].strip() != b"data: [DONE]":
        return "did not end with [DONE]"
    texts: list[str] = []
    finish: str | None = None
    usage: dict[str, Any] | None = None
    for event in events[:-1]:
        fields = json.loads(event.removeprefix(b"data: "))
        if "error" in fields:
            return "an error event"
        usage = fields.get("usage") or usage
        for choice in fields["choices"]:
            texts.append(choice["delta"].get("content") or "")
            finish = choice.get("finish_reason") or finish
    seen = sum(1 for text in texts if text)
    if seen != asked.tokens:
        return f"{seen} of {asked.tokens} events"
    if asked.usage and (usage is None or usage["completion_tokens"] != asked.tokens):
        return "usage missing or wrong"
    return _same_text(asked, "".join(texts), finish)


def _plain_complaint(asked: Asked, fields: dict[str, Any]) -> str | None:
    choice = fields["choices"][0]
    if fields["usage"]["completion_tokens"] != asked.tokens:
        return "usage wrong"
    return _same_text(asked, choice["message"]["content"], choice["finish_reason"])


def _same_text(asked: Asked, text: str, finish: str | None) -> str | None:
    if text != answer_text(asked.tokens):
        return "another text"
    return None if finish == "length" else f"finish_reason {finish!r}"
