"""Every stream that the tests know, as the bytes of a whole HTTP answer: real engines' (`recorded/`), and the shapes that
engines, and what stands in front of them, have been seen to send, right and wrong.

    STREAMS["vllm/chat_stream_usage"].http      the answer's bytes
    STREAMS["vllm/chat_stream_usage"].decoder() what the gateway reads it with
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from hayate.backends.llamacpp_stream import LlamaCppStream
from hayate.backends.ollama_stream import OllamaStream
from hayate.backends.triton_stream import TritonStream
from hayate.backends.trt_stream import TrtLLMStream
from hayate.wire.chat_to_responses import Makes, ResponsesStream
from hayate.wire.chunks import ChunkWriter
from hayate.wire.decoder import StreamDecoder
from hayate.wire.generate import GenerateStream
from hayate.wire.messages import StartingMessages
from hayate.wire.openai_stream import OpenAIStream
from hayate.wire.passthrough_stream import PassthroughStream, RawStream
from hayate.wire.response_object import ResponseObject, settings_of
from hayate.wire.responses import QuietResponses

HERE = Path(__file__).parent / "recorded"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
HEAD_UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
DONE = "data: [DONE]\n\n"


@dataclass(frozen=True)
class Stream:
    """One answer, and how it is read. `whole`: by a caller that asked for no stream, too."""

    http: bytes
    decoder: Callable[[], StreamDecoder]
    whole: bool = False


def writer(*, chat: bool = True) -> ChunkWriter:
    return ChunkWriter(answer_id="c-1", created=1, model="m", chat=chat, include_usage=True)


def openai(n: int = 1, *, keep_usage: bool = False) -> Callable[[], StreamDecoder]:
    return lambda: OpenAIStream(keep_usage=keep_usage, choices=n)


def generate() -> StreamDecoder:
    return GenerateStream(OpenAIStream(keep_usage=False), stream_id="s", model="m")


def responses(inner: Callable[[], StreamDecoder]) -> Callable[[], StreamDecoder]:
    """A chat's stream as a response's."""

    def decoder() -> StreamDecoder:
        numbers = count()
        makes = Makes(new_id=lambda prefix: f"{prefix}_{next(numbers)}", now=lambda: 1.0)
        return ResponsesStream(inner(), ResponseObject("resp_1", 1, settings_of({}, "m")), makes)

    return decoder


def llamacpp(**fields: Any) -> Callable[[], StreamDecoder]:
    return lambda: LlamaCppStream(fields)


def triton(*, cumulative: bool = False, stops: Iterable[str] = ()) -> Callable[[], StreamDecoder]:
    return lambda: TritonStream(
        writer(), cumulative=cumulative, stops=list(stops), prompt="prompt", max_tokens=100, count=len
    )


def chunk(data: bytes | str) -> bytes:
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return b"%x\r\n%b\r\n" % (len(raw), raw)


def answer(*events: bytes | str, end: bytes = LAST_CHUNK) -> bytes:
    """A chunk an event, which is how engines write."""
    return HEAD + b"".join(map(chunk, events)) + end


def event(value: Any, *, eol: str = "\n", spaced: bool = False, name: str = "", sep: str = " ") -> str:
    separators = (", ", ": ") if spaced else (",", ":")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=spaced, separators=separators)
    return f"{f'event: {name}{eol}' if name else ''}data:{sep}{text}{eol}{eol}"


def said(text: str | None = None, finish: str | None = None, delta: Any = None, **choice: Any) -> dict[str, Any]:
    """A chunk with one choice."""
    if delta is None:
        delta = {} if text is None else {"content": text}
    fields = {"index": 0, "delta": delta, "finish_reason": finish, **choice}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [fields]}


ROLE = said(delta={"role": "assistant", "content": ""})
WORDS = [
    said(text) for text in ("Hel", "lo", ' "usage"', "\n\n", "\\", "usage", "error", "日本語", "🦊", "[DONE]", " ")
]
STOP = said(finish="stop")
USAGE = {"prompt_tokens": 3, "completion_tokens": 11, "total_tokens": 14}
USED = {**said(), "choices": [], "usage": USAGE, "system_fingerprint": "f"}
EVENTS = [ROLE, *WORDS, STOP, USED]


def plain(*extra: str, at: int = 4, done: str = DONE, **how: Any) -> list[str]:
    """A good answer, with `extra` events inside."""
    events = [event(each, **how) for each in EVENTS]
    return [*events[:at], *extra, *events[at:], *([done] if done else [])]


def _shapes() -> dict[str, list[str] | list[bytes]]:
    """Streams of chat chunks."""
    half = '{"choices":[{"index":0,"delta":{"content":"\\ud83e"},"finish_reason":null}]}'
    other = half.replace("d83e", "dd8a")
    infinite = half.replace('"finish', '"logprobs":{"content":[{"logprob":-Infinity}]},"finish').replace("\\ud83e", "x")
    lines = 'data: {"choices":[{"index":0,\ndata: "delta":{"content":"a"},\ndata: "finish_reason":null}]}\n\n'
    ends = (("Hel", None), ("lo", None), ("", "stop"))
    unnumbered = [{**each, "choices": [{"delta": {"content": "a"}, "finish_reason": None}]} for each in WORDS]
    calls = [{"tool_calls": [{"function": {"arguments": text}}]} for text in ("{", '"a"', ":1}")]
    progress = [event({**ROLE, "prompt_progress": {"processed": n}}) for n in range(2)]
    good = [event(each) for each in EVENTS]
    error = {"message": "CUDA out of memory", "code": 500}
    shapes: dict[str, list[str] | list[bytes]] = {
        "plain": plain(),
        "no space": plain(sep=""),
        "crlf": plain(eol="\r\n"),
        "cr": [each.replace("\n", "\r") for each in plain()],
        "spaced": plain(spaced=True),
        "one line end": [each[:-1] for each in plain()],
        "more line ends": [f"{each}\n" for each in plain()],
        "line ends first": [f"\r\n{each}" for each in plain()],
        "no done": plain(done=""),
        "no line end": plain(done="data: [DONE]"),
        "no empty line": plain(done="data: [DONE]\n"),
        "usage without a line end": [*good[:-1], good[-1].rstrip("\n")],
        "finish without a line end": [*good[:-2], good[-2].rstrip("\n")],
        "ends inside an event": [*good[:6], good[6][:-20]],
        "nothing": [],
        "blank": ["\n", "\r\n\n"],
        "no finish, done": [*good[:8], DONE],
        "no finish": good[:8],
        "after the finish": [*good[:-1], good[2], DONE],
        "after done": [*plain(), good[2], *plain()],
        "no usage": [*good[:-1], DONE],
        "bom": ["\ufeff" + good[0], *good[1:], DONE],
        "retry and ids": ["retry: 3000\n\n", *(f"id: {n}\n{each}" for n, each in enumerate(good)), DONE],
        "bodies of several lines": [good[0], lines, *good[3:], DONE],
        "halves of a pair": plain(event(half), event(other)),
        "halves of a pair first": [event(half), event(other), *good, DONE],
        "halves of a pair, spaced": plain(event(said("\ud83e"), spaced=True), event(said("\udd8a"), spaced=True)),
        "infinity": plain(event(infinite)),
        "infinity, spaced": plain(event(infinite.replace('":', '": '))),
        "invalid utf-8": [each.encode().replace("日".encode(), b"\xe6\x97") for each in plain()],
        "not json": plain("data: {oops\n\n"),
        "html": ["<html>hello</html>"],
        "bare lines": [*good[:5], '{"error":{"message":"CUDA out of memory"}}\n\n', DONE],
        "index null": [event(said(text, finish, index=None)) for text, finish in ends],
        "index mixed": [*good[:-2], event(said(finish="stop", index=None))],
        "index missing": [*map(event, unnumbered), event(STOP)],
        "usage each": [event({**each, "usage": USAGE}) for each in EVENTS] + [DONE],
        "usage null each": [event({**each, "usage": each.get("usage")}) for each in EVENTS] + [DONE],
        "usage in the middle": plain(event({"id": "c", "usage": {"prompt_tokens": 1}}), done=""),
        "usage that is none": plain(event({"usage": {"prompt_tokens": -4, "completion_tokens": 1e99}})),
        "finish empty": [event(said(text, "")) for text in ("a", "b")] + [event(STOP), DONE],
        "finish each": [event(said(text, "stop")) for text in ("a", "b")] + [DONE],
        "finish of no kind": [event(said("a", {"x": 1})), event(said("a", 7)), DONE],  # type: ignore[arg-type]
        "abort": [*good[:6], event(said(finish="abort")), DONE],
        "tool calls without index": [*(event(said(delta=each)) for each in calls), event(STOP), DONE],
        "two choices in an event": [event({**ROLE, "choices": [*ROLE["choices"], *said("b", index=1)["choices"]]}), *good, DONE],
        "two events' finishes balance": [event({**ROLE, "choices": [*said("a")["choices"], *said("b")["choices"]]}), DONE],
        "error event": [*good[:6], event(error, name="error"), DONE],
        "error": [*good[:6], event({"error": error}), DONE],
        "error first": [event({"error": error}), DONE],
        "error in a chunk": [*good[:6], event({**said("", "error"), "error": error}), DONE],
        "error in a chunk of text": [*good[:6], event({**said("x"), "error": error}), *good[6:], DONE],
        "error after the finish": [*good[:-1], event({"error": error}), DONE],
        "error without a line end": [*good[:6], event({"error": error}).rstrip("\n")],
        "prompt progress": [progress[0], *plain(progress[1])],
        "long": [event(said("A" * 40_000)), *good[1:], DONE],
    }  # fmt: skip
    odd = {
        "bad escape": "H\\x", "carriage return": "H\rl", "line end": "H\nl", "event end": "H\n\nl", "quote": 'H"l',
        "backslash": "H\\", "nothing": "", "quote first": '"l', "null byte": "\0", "escaped": '\\"\\\\',
    }  # fmt: skip
    for name, text in odd.items():
        shapes[f"{name} in the first text"] = [each.replace("Hel", text) for each in plain()]
        said_so = plain(*(event(said("Hel")).replace("Hel", text) for _ in range(3)), at=6)
        shapes[f"{name} in a text"] = [each for each in said_so if each != event(USED)]  # counted here
    nothings = {
        "null": event("null"), "empty": "data: \n\n", "bare": "data:\n\n", "list": event("[]"), "string": event('"ping"'),
        "keepalive": "event: keepalive\ndata: \n\n", "ping": event("{}", name="ping"), "comment": ": ping\n\n",
        "comment line": ": ping\n", "no choices": event({**ROLE, "choices": None}),
        "null choice": event({**ROLE, "choices": [None]}),
        "delta null": event(said(delta=None, finish=None) | {"choices": [{"index": 0, "delta": None, "finish_reason": None}]}),
        "number": event("7"), "choices missing": event({"id": "c"}), "choices empty": event({**ROLE, "choices": []}),
    }  # fmt: skip
    for name, nothing in nothings.items():
        shapes |= {f"{name} inside": plain(nothing), f"{name} first": plain(nothing, at=0)}
        shapes |= {f"{name} after the finish": plain(nothing, at=-1), f"{name} last": [*plain(done=""), nothing]}
    return shapes


def _framings(events: list[str]) -> dict[str, bytes]:
    """One good stream in every framing HTTP has."""
    raw = [each.encode() for each in events]
    body = b"".join(raw)
    return {
        "until closed": HEAD_UNTIL_CLOSED + body,
        "with its length": HEAD_UNTIL_CLOSED.replace(b"\r\n\r\n", b"\r\ncontent-length: %d\r\n\r\n" % len(body)) + body,
        "early hints": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + answer(*events),
        "trailers": answer(*events, end=b"0\r\nx-checksum: abc\r\n\r\n"),
        "extensions": HEAD + b"".join(b"%x;a=b\r\n%b\r\n" % (len(each), each) for each in raw) + LAST_CHUNK,
        "upper case": HEAD + b"".join(b"%04X\r\n%b\r\n" % (len(each), each) for each in raw) + LAST_CHUNK,
        "one chunk": answer(body),
        "events across chunks": answer(*(body[n : n + 100] for n in range(0, len(body), 100))),
        "events halved": answer(*(part for each in raw for part in (each[: len(each) // 2], each[len(each) // 2 :]))),
        "three events a chunk": answer(*(b"".join(raw[n : n + 3]) for n in range(0, len(raw), 3))),
        "cut": answer(*events[:6], end=b""),
        "cut after the finish": answer(*events[:-2], end=b""),
        "cut after done": answer(*events, end=b""),
        "http/1.0": HEAD_UNTIL_CLOSED.replace(b"1.1", b"1.0") + body,
        "chunks in chunks": answer(*(b"".join(map(chunk, raw[n : n + 2])) for n in range(0, len(raw), 2))),
    }  # fmt: skip


def _named(kind: str, **fields: Any) -> str:
    return event({"type": kind, **fields}, name=kind)


def _passed() -> dict[str, Stream]:
    """The dialects that pass through, each with every end of its own."""
    used = {"input_tokens": 3, "output_tokens": 2}
    said_ = [_named("response.created", response={"id": "r"}), _named("response.output_text.delta", delta="Hi")]
    message = [
        _named("message_start", message={"id": "m", "usage": {"input_tokens": 3, "output_tokens": 1}}),
        _named("ping"),
        _named("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hi"}),
        _named("message_delta", delta={"stop_reason": "end_turn"}),
        _named("message_delta", delta={}, usage={"output_tokens": 2}),
    ]
    error = _named("error", error={"type": "overloaded_error", "message": "busy"})
    found: dict[str, Stream] = {}

    def add(path: str, name: str, *events: str, decoder: Callable[[], StreamDecoder] | None = None) -> None:
        found[f"{path} {name}"] = Stream(answer(*events), decoder or (lambda: PassthroughStream(path)))

    for state in ("completed", "failed", "incomplete", "cancelled"):
        last = _named(f"response.{state}", response={"id": "r", "usage": used})
        add("/v1/responses", state, *said_, last)
        add("/v1/responses", f"{state}, done", *said_, last, DONE)
        add("/v1/responses", f"{state}, no line end", *said_, last.rstrip("\n"))
    add("/v1/responses", "error", *said_, error, DONE)
    add("/v1/responses", "error in another dialect", *said_, event({"error": {"message": "x"}}), DONE)
    add("/v1/responses", "cut", *said_)
    progress = _named("response.in_progress", prompt_progress={"n": 1}, response={})
    add("/v1/responses", "progress", progress, progress, *said_, progress.rstrip("\n"), decoder=QuietResponses)
    add("/v1/messages", "stop", *message, _named("message_stop"))
    add("/v1/messages", "no line end", *message, _named("message_stop").rstrip("\n"))
    add("/v1/messages", "error", *message, error, _named("message_stop"))
    add("/v1/messages", "cut", *message, _named("message_stop")[:-12])
    add("/v1/messages", "no start", ": a\n\n", *message[1:], _named("message_stop"), decoder=lambda: StartingMessages(message_id="m", model="m"))  # fmt: skip  # noqa: E501
    for path in ("/v1/audio/transcriptions", "/v1/audio/speech"):
        add(path, "ends", _named("transcript.text.delta", delta="a"), _named("transcript.text.done", usage=used))
        add(path, "no line end", _named("speech.audio.delta", audio="AA=="), "data: x")
        add(path, "done", event(said("a")), DONE)
    found["audio"] = Stream(HEAD + chunk(b"\xff\xfb" * 50) + chunk(b"\x00\n\n" * 50) + LAST_CHUNK, RawStream)
    return found


def _foreign() -> dict[str, Stream]:
    """Ollama's and Triton's."""
    lines = [{"message": {"content": text}} for text in ("吾", "が", "", " 社", "😀")]
    tool = {"message": {"content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}}
    done = {"done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 4.0}
    ollama: dict[str, list[Any]] = {
        "plain": [*lines, done],
        "tools": [*lines, tool, done],
        "error": [*lines, {"error": "boom"}, done],
        "cut": lines,
        "nothings": [None, *lines, [], "x", 7, {}, done],
        "odd counts": [*lines, {**done, "eval_count": -1, "prompt_eval_count": "x"}],
        "odd message": [*lines, {"message": 7}, {"message": {"content": 7, "tool_calls": 3}}, done],
    }
    found = {}
    for name, given in ollama.items():
        raw = [json.dumps(each, ensure_ascii=False) for each in given]
        for how, events in {
            "": [f"{each}\n" for each in raw],
            ", crlf": [f"{each}\r\n" for each in raw],
            ", no line end": [*(f"{each}\n" for each in raw[:-1]), raw[-1]],
            ", blank lines": [f"\n{each}\n \n" for each in raw],
        }.items():
            found[f"ollama/{name}{how}"] = Stream(
                answer(*events), lambda: OllamaStream(writer(), chat=True), whole=True
            )
    texts = "吾が社は、😀です"
    deltas = [event({"text_output": each}) for each in texts]
    growing = [event({"text_output": texts[: n + 1], "finish_reason": "None"}) for n in range(len(texts))]
    nothings = ["data: null\n\n", "data:\n\n", ": x\n\n", event("[]")]
    for name, (events, decoder) in {
        "deltas": (deltas, triton()),
        "growing": (growing, triton(cumulative=True)),
        "stops": (deltas, triton(stops=["社は、", "です"])),
        "nothings": ([*deltas[:3], *nothings, *deltas[3:]], triton()),
        "error": ([*deltas[:3], event({"error": "boom"}), *deltas[3:]], triton()),
        "bare error": ([*deltas[:3], '{"error":"boom"}\n\n'], triton()),
        "no line end": ([*deltas[:-1], deltas[-1].rstrip("\n")], triton()),
        "cut": ([*deltas[:-1], deltas[-1][:-6]], triton()),
    }.items():
        found[f"triton/{name}"] = Stream(answer(*events), decoder, whole=True)
    return found


def _recorded() -> dict[str, Stream]:
    """How a recorded answer is read follows from its name."""
    found = {}
    for path in sorted(HERE.glob("*/*.http")):
        engine, name = path.parent.name, path.stem
        n = 2 if "n2" in name else 1
        decoder: Callable[[], StreamDecoder] = openai(n)
        if "messages" in name:
            decoder = lambda: PassthroughStream("/v1/messages")  # noqa: E731
        elif "responses" in name:
            decoder = lambda: PassthroughStream("/v1/responses")  # noqa: E731
        elif engine == "triton":
            decoder = triton(stops=["、", "。"] if "stop" in name else ())
        elif engine == "llamacpp":
            decoder = llamacpp(n=n)
        found[f"{engine}/{name}"] = Stream(path.read_bytes(), decoder, whole=engine == "llamacpp")
        if name.startswith("chat"):
            inner = (
                llamacpp(stream_options={"include_usage": True}) if engine == "llamacpp" else openai(keep_usage=True)
            )
            found[f"{engine}/{name}, responses"] = Stream(path.read_bytes(), responses(inner))
    return found


def _all() -> dict[str, Stream]:
    found = _recorded() | _passed() | _foreign()
    for name, events in _shapes().items():
        raw = answer(*events)
        found[name] = Stream(raw, openai(), whole=True)
        found[f"{name}, usage asked"] = Stream(raw, openai(keep_usage=True))
        found[f"{name}, two answers"] = Stream(raw, openai(2))
        found[f"{name}, llama.cpp"] = Stream(raw, llamacpp(), whole=True)
        found[f"{name}, trtllm"] = Stream(raw, lambda: TrtLLMStream(keep_usage=False))
        found[f"{name}, generate"] = Stream(raw, generate)
        found[f"{name}, responses"] = Stream(raw, responses(openai(keep_usage=True)))
    for name, raw in _framings(plain()).items():
        found[name] = Stream(raw, openai(), whole=True)
        found[f"{name}, generate"] = Stream(raw, generate)
    return found


STREAMS = _all()
