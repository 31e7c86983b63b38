"""Faults real engines have shown, as scripts for the fake engine."""

from __future__ import annotations

from tests.support.engine_script import (
    SSE,
    Answer,
    Chat,
    Request,
    Script,
    body,
    cut,
    frame,
    head,
    reset,
    silence,
    sse,
    stop_reading,
)


def cut_mid_frame(texts: tuple[str, ...] = ("こん", "にち")) -> Answer:
    """A stream that breaks off inside a frame, without the final chunk."""

    def script(request: Request) -> Script:
        *frames, last = Chat(texts, finish_reason=None, done=False).frames(request)
        return sse([*frames, last[:-20]], last=[cut])

    return script


def error_then_done(message: str = "EngineCore encountered an issue.") -> Answer:
    """What vLLM sends when its core dies: some text, an error frame, `[DONE]`, and a clean end."""
    failure = frame({"error": {"message": message, "type": "InternalServerError", "param": None, "code": 500}})

    def script(request: Request) -> Script:
        *frames, done = Chat(("こん",), finish_reason=None).frames(request)
        return sse([*frames, failure, done])

    return script


def silent_mid_stream(texts: tuple[str, ...] = ("こん", "にち")) -> Answer:
    """Some text, then nothing at all."""
    return Chat(texts, finish_reason=None, done=False, last=[silence])


HEADERS_THEN_SILENCE: Script = [head(headers=SSE), silence]
NO_ANSWER: Script = [silence]
CLOSE_BEFORE_HEADERS: Script = [cut]
RESET_BEFORE_HEADERS: Script = [reset]
GARBAGE: Script = [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 not HTTP at all\r\n\r\n", cut]
HUGE_HEADER: Script = [head(headers={**SSE, "x-huge": "x" * 300_000}), body(frame("[DONE]")), b"0\r\n\r\n"]
NEVER_READS: Script = [stop_reading, silence]
"""For `on_connect`: the request is never read."""
