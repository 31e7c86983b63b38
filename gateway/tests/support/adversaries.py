"""Requests and answers made to be dear: nested, dense, full of keys, parts, long numbers, escapes and near boundaries.

Every maker takes a size in bytes and gives about that much. `held_s` is what reading costs: CPU time of this thread, which is the
event loop's in the gateway, so a busy machine counts for little.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from functools import cache

from hayate.wire.json_values import too_many_values

MB = 1_000_000
Make = Callable[[int], bytes]

UNITS: dict[str, bytes] = {
    "lists": b"[]",
    "objects": b"{}",
    "lists in lists": b"[[[]]]",
    "nested 100 deep": b"[" * 100 + b"]" * 100,
    "objects in objects": b'{"a":{"b":{"c":{}}}}',
    "objects and lists": b'{"a":[{}]}',
    "one digit": b"1",
    "tokens": b"12345",
    "decimals": b"1.5",
    "exponents": b"1e5",
    "hard decimals": b"1.00000000000000011102230246251565404236316680908203124e-300",
    "long numbers": b"123456789012345678901234567890",
    "truths": b"true",
    "nulls": b"null",
    "empty texts": b'""',
    "texts": b'"ab"',
    "Japanese texts": '"あ"'.encode(),
    "escapes": b'"\\n\\"\\\\"',
    "surrogates": b'"\\ud83e\\udd8a"',
    "messages": b'{"role":"user","content":""}',
    "parts": b'{"role":"user","content":[{"type":"text","text":"a"}]}',
    "calls": b'{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]}',
    "media": b'{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,"}}]}',
    "sources": b'{"source":{"type":"base64"}}',
}
"""What a long list may hold."""


def filled(unit: bytes, size: int, key: bytes = b"input") -> bytes:
    """As many of `unit` as fit."""
    return _listed(unit, max(1, (size - len(key) - 8) // (len(unit) + 1)), key)


def as_dense_as_may_be(unit: bytes, size: int, key: bytes = b"input") -> bytes:
    """As many of `unit` as a body of this size may hold, the rest one text."""
    count = _most(unit, min(size, MB)) * max(1, size // MB)
    body = _listed(unit, count, key)[:-1] + b',"text":"'
    return body + b"a" * (size - len(body) - 2) + b'"}'


def _listed(unit: bytes, count: int, key: bytes) -> bytes:
    return b'{"%b":[' % key + b",".join([unit] * count) + b"]}"


@cache
def _most(unit: bytes, size: int) -> int:
    low, high = 1, size // (len(unit) + 1)
    while low < high:
        middle = (low + high + 1) // 2
        if too_many_values(_listed(unit, middle, b"input")):
            high = middle - 1
        else:
            low = middle
    return max(1, low * 95 // 100)


BODIES: dict[str, Make] = {
    "one text": lambda size: b'{"prompt":"' + b"a" * (size - 13) + b'"}',
    "one Japanese text": lambda size: b'{"prompt":"' + "あ".encode() * (size // 3 - 5) + b'"}',
    "escapes in a text": lambda size: b'{"prompt":"' + b"\\n" * (size // 2 - 8) + b'"}',
    "backslashes": lambda size: b'{"prompt":"' + b"\\\\" * (size // 2 - 8) + b'"}',
    "escaped quotes": lambda size: b'{"prompt":"' + b'\\"' * (size // 2 - 8) + b'"}',
    "JSON in a text": lambda size: b'{"prompt":"' + b'{\\"a\\": [1, 2], \\"b\\": {}}\\n' * (size // 27) + b'"}',
    "unicode escapes": lambda size: b'{"prompt":"' + b"\\u3042" * (size // 6 - 3) + b'"}',
    "open brackets": lambda size: b'{"input":' + b"[" * size,
    "open objects": lambda size: b'{"a":' * (size // 5),
    "deep and closed": lambda size: b'{"input":' + b"[" * (size // 2) + b"]" * (size // 2) + b"}",
    "a long whole number": lambda size: b'{"seed":' + b"1" * size + b"}",
    "a long decimal": lambda size: b'{"seed":0.' + b"1" * size + b"}",
    "a long exponent": lambda size: b'{"seed":1e-' + b"1" * size + b"}",
    "many keys": lambda size: b"{" + b",".join(b'"%d":1' % n for n in range(size // 12)) + b"}",
    "one key many times": lambda size: b"{" + b",".join([b'"a":1'] * (size // 6)) + b"}",
    "a long key": lambda size: b'{"' + b"k" * size + b'":1}',
    "long keys around a URL": lambda size: (
        b'{"input":{"%b":{"%b":{"image_url":"http://x"}}}}' % ((b"k" * (size // 2),) * 2)
    ),
    "quotes": lambda size: b'"' * size,
    "commas": lambda size: b"{" + b"," * size,
    "blanks": lambda size: b" " * size,
    "zeros": bytes,
    "a fault at the end": lambda size: (
        as_dense_as_may_be(b"{}", size)[:-1] + b',"documents":[{"image_url":"http://x"}]}'
    ),
    **{f"{name}, all of it": lambda size, unit=unit: filled(unit, size) for name, unit in UNITS.items()},  # type: ignore[misc]
    **{
        f"{name}, as many as may be": lambda size, unit=unit: as_dense_as_may_be(unit, size)  # type: ignore[misc]
        for name, unit in UNITS.items()
    },
    **{
        f"{name} in messages": lambda size, unit=UNITS[name]: as_dense_as_may_be(unit, size, b"messages")  # type: ignore[misc]
        for name in ("messages", "parts", "calls", "media")
    },
}
"""JSON bodies, most of them no request, by what is dear about them."""

FORM_TYPE = b"multipart/form-data; boundary=edge"
_PART = b'--edge\r\ncontent-disposition: form-data; name="model"'
FORMS: dict[str, Make] = {
    "one file": lambda size: _PART + b"\r\n\r\nfast\r\n--edge\r\n\r\n" + b"a" * size + b"\r\n--edge--\r\n",
    "model lines": lambda size: (_PART[8:] + b"\r\n") * (size // len(_PART)),
    "header lines": lambda size: _PART + b"\r\n" + b"a: b\r\n" * (size // 6),
    "one header": lambda size: _PART + b"\r\nx: " + b"a" * size,
    "one header's name": lambda size: _PART + b"\r\n" + b"a" * size,
    "a name without end": lambda size: _PART[:-1] + b"a" * size,
    "semicolons": lambda size: _PART + b";" * size + b"\r\n\r\nfast\r\n--edge--\r\n",
    "quotes": lambda size: _PART + b'";' * (size // 2) + b"\r\n\r\nfast\r\n--edge--\r\n",
    "blanks in a header": lambda size: _PART + b"\r\nx:" + b" " * size,
    "parts": lambda size: (_PART + b"\r\n\r\nfast\r\n") * (size // (len(_PART) + 10)) + b"--edge--\r\n",
    "boundaries": lambda size: _PART + b"\r\n\r\n" + b"\r\n--edge" * (size // 8) + b"\r\n--edge--\r\n",
    "near boundaries": lambda size: _PART + b"\r\n\r\n" + b"\r\n--edgf" * (size // 8) + b"\r\n--edge--\r\n",
    "nearer boundaries": lambda size: _PART + b"\r\n\r\n" + b"\r\n--edg" * (size // 7) + b"\r\n--edge--\r\n",
    "line ends": lambda size: _PART + b"\r\n\r\n" + b"\r\n" * (size // 2) + b"--edge--\r\n",
    "returns": lambda size: _PART + b"\r\n\r\n" + b"\r" * size + b"\r\n--edge--\r\n",
    "blanks behind a boundary": lambda size: _PART + b"\r\n\r\n\r\n--edge" + b" " * size + b"\r\n",
    "before the form": lambda size: b"\r\n" * (size // 2) + _PART,
    "dashes": lambda size: b"\r\n" + b"-" * size,
    "behind the form": lambda size: _PART + b"\r\n\r\nfast\r\n--edge--\r\n" + b"\r\n--edge" * (size // 8),
}
"""Forms, most of them broken, by what is dear about them."""


_END = b'],"usage":{"prompt_tokens":5,"completion_tokens":7}}'
_ENTRY = b'{"token":"a","logprob":-0.1,"bytes":[97],"top_logprobs":[{"token":"b","logprob":-1.5,"bytes":[98]}]}'
_TEXT_EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'
ANSWERS: dict[str, Make] = {
    "log probabilities": lambda size: (
        b'{"choices":[{"finish_reason":"stop","logprobs":{"content":['
        + b",".join([_ENTRY] * (size // len(_ENTRY)))
        + b"]}}"
        + _END
    ),
    "embeddings": lambda size: b'{"data":[' + b",".join([b"0.0123456"] * (size // 10)) + _END,
    "choices": lambda size: b'{"choices":[' + b",".join([b"{}"] * (size // 3)) + _END,
    "models": lambda size: b'{"data":[' + b",".join([b'{"id":"m"}'] * (size // 11)) + _END,
    "usages": lambda size: b'{"usage":{' * (size // 10),
    "reasons": lambda size: b'{"choices":[' + b'"finish_reason":"a",' * (size // 20),
    "an error": lambda size: b'{"error":{"message":"' + b"a" * size + b'"}}',
    "an error of many": lambda size: b'{"detail":[' + b",".join([b'{"loc":["body"]}'] * (size // 17)) + b"]}",
    "a page": lambda size: b"<html>" + b"<a>" * (size // 3),
    "not a number": lambda size: b'{"choices":[' + b",".join([b"NaN"] * (size // 4)) + b"]}",
    "half characters": lambda size: b'{"choices":[{"text":"' + b"\\ud83e" * (size // 6) + b'"}]}',
    "a long number": lambda size: b'{"choices":[' + b"1" * size + b"]}",
    "nested": lambda size: b'{"choices":' + b"[" * (size // 2) + b"]" * (size // 2) + b"}",
}
"""Whole answers of an engine."""
STREAMS: dict[str, Make] = {
    "tokens": lambda size: _TEXT_EVENT * (size // len(_TEXT_EVENT)),
    "an event without end": lambda size: b'data: {"choices":[{"delta":{"content":"' + b"a" * size,
    "an event of many lines": lambda size: b"data: x\n" * (size // 8) + b"\n",
    "a dense event": lambda size: b"data: " + filled(b"{}", size, b"choices") + b"\n\n",
    "a long event": lambda size: _TEXT_EVENT.replace(b'"x"', b'"%b"' % (b"a" * size)),
}
"""Streams of an engine; what comes by the hundred thousand, tiny events, is held against a read's length in tests of its own."""


def held_s(read: Callable[[], object], times: int = 3) -> float:
    """The least CPU time of this thread that `read` took, with what it leaves to be freed and collected."""
    best = float("inf")
    for _ in range(times):
        gc.collect()
        begun = time.thread_time()
        read()
        gc.collect(0)
        best = min(best, time.thread_time() - begun)
    return best
