"""GGUF headers for tests, written byte by byte from the format's description rather than with the reader's own tables."""

from __future__ import annotations

import struct
from collections.abc import Mapping

Entry = int | float | bool | str | list[int] | list[bool] | list[str]


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(value: Entry) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + _string(value)
    if all(isinstance(item, str) for item in value):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(_string(str(item)) for item in value)
    if all(isinstance(item, bool) for item in value):
        return struct.pack("<IIQ", 9, 7, len(value)) + bytes(bool(item) for item in value)
    return struct.pack("<IIQ", 9, 5, len(value)) + b"".join(struct.pack("<i", item) for item in value)


def gguf(entries: Mapping[str, Entry], *, version: int = 3, payload: int = 1000) -> bytes:
    """A file with this metadata and `payload` bytes where tensors would be."""
    body = b"".join(_string(key) + _value(value) for key, value in entries.items())
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(entries)) + body + bytes(payload)


QWEN: dict[str, Entry] = {
    "general.architecture": "qwen2",
    "general.file_type": 15,
    "general.license": "apache-2.0",
    "qwen2.block_count": 28,
    "qwen2.context_length": 32768,
    "qwen2.embedding_length": 3584,
    "qwen2.attention.head_count": 28,
    "qwen2.attention.head_count_kv": 4,
    "tokenizer.ggml.tokens": [f"token-{n}" for n in range(5000)],
}
