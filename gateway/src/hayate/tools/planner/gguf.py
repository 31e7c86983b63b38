"""A model's shape from a GGUF file: the header's metadata is read, tensors never are.

The format: magic, version, tensor count, entry count, then entries of key, type and value, little-endian. Only wanted
keys are kept; the long token lists are walked over, not stored. Counts and lengths come from the file, so every one is
checked against what is left of it before it is believed.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import BinaryIO

from hayate.language import Text, reason_of
from hayate.tools.planner.arithmetic import Attention
from hayate.tools.planner.facts import FactsMissing, ModelFacts

Scalar = int | float | bool | str
Value = Scalar | list[Scalar]

MAGIC = b"GGUF"
VERSIONS = (2, 3)
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_KEPT_ARRAY = 4096
_TOKENS = "tokenizer.ggml.tokens"

# llama_ftype: what most tensors of the file are.
FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L",
    14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS",
    23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M",
    32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
}  # fmt: skip
# Architectures whose layers slide, and which n-th layer sees everything: llama.cpp has these in its code, not in the file.
SLIDING_PATTERNS = {"gemma2": 2, "gemma3": 6, "gemma3n": 5, "gpt-oss": 2, "cohere2": 4, "exaone4": 4}
_SHARD = re.compile(r"^(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")


def _broken(path: Path, why: str) -> FactsMissing:
    return FactsMissing(f"{path}: not a usable GGUF file ({why})", f"{path}: GGUFファイルとして読めません（{why}）")


class _Reader:
    """Little-endian values from a file, never past its end."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self.file, self.path = file, path
        self.size = path.stat().st_size
        self.at = 0
        self.array_length = 0

    def left(self) -> int:
        return self.size - self.at

    def take(self, count: int) -> bytes:
        data = self.file.read(count) if 0 <= count <= self.left() else b""
        if len(data) != count:
            raise _broken(self.path, "it ends too early")
        self.at += count
        return data

    def scalar(self, code: str) -> Scalar:
        value: Scalar = struct.unpack(code, self.take(struct.calcsize(code)))[0]
        return value

    def count(self) -> int:
        value = int(self.scalar("<Q"))
        if value > self.left():
            raise _broken(self.path, "a length beyond the end of the file")
        return value

    def string(self) -> str:
        return self.take(self.count()).decode("utf-8", errors="replace")

    def value(self, kind: int) -> Value:
        if kind in _SCALARS:
            return self.scalar(_SCALARS[kind])
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self.array()
        raise _broken(self.path, f"value type {kind} is unknown")

    def array(self) -> list[Scalar]:
        """Short arrays of numbers whole, strings only the first, longer ones empty; `array_length` says how long it was."""
        kind, count = int(self.scalar("<I")), self.count()
        self.array_length = count
        if kind in _SCALARS:
            width = struct.calcsize(_SCALARS[kind])
            data = self.take(count * width)
            return [item[0] for item in struct.iter_unpack(_SCALARS[kind], data)] if count <= _KEPT_ARRAY else []
        if kind != _STRING:
            raise _broken(self.path, "a nested array")
        kept = [self.string() for _ in range(min(count, 1))]
        for _ in range(count - len(kept)):
            # The hot line: a vocabulary and its merges are some hundred thousand strings.
            self.take(int.from_bytes(self.take(8), "little"))
        return [*kept]


def read_metadata(path: Path) -> dict[str, Value]:
    """The header's entries. Of the token list only its length is kept, as an integer. Raises FactsMissing."""
    try:
        with path.open("rb") as file:
            reader = _Reader(file, path)
            if reader.take(4) != MAGIC:
                raise _broken(path, "no GGUF magic")
            version = int(reader.scalar("<I"))
            if version not in VERSIONS:
                raise _broken(path, f"version {version}")
            reader.scalar("<Q")
            entries: dict[str, Value] = {}
            for _ in range(reader.count()):
                key, kind = reader.string(), int(reader.scalar("<I"))
                value = reader.value(kind)
                entries[key] = reader.array_length if key == _TOKENS else value
            return entries
    except OSError as error:
        why = reason_of(error)
        raise FactsMissing(f"{path}: {why.en}", f"{path}: 読み取れません（{why.ja}）") from None


def facts_from_gguf(path: Path) -> ModelFacts:
    """The model in a GGUF file, or in the set of files that `…-00001-of-00003.gguf` begins. Raises FactsMissing."""
    first, files = _shards(path)
    entries = read_metadata(first)
    arch = entries.get("general.architecture")
    if not isinstance(arch, str):
        raise _broken(first, "no general.architecture")
    notes: list[Text] = []
    heads = max(_integers(entries, f"{arch}.attention.head_count") or [0])
    hidden = _integer(entries, f"{arch}.embedding_length")
    if not heads or not hidden:
        raise _broken(first, "no head count or embedding length")
    file_type = _integer(entries, "general.file_type")
    named = re.search(r"(I?Q\d[A-Z0-9_]*|BF16|F16|F32|MXFP4)", first.stem, re.IGNORECASE)
    return ModelFacts(
        id=path.name,
        attention=_attention(entries, arch, hidden, heads, notes),
        heads=heads,
        hidden=hidden,
        vocab=_integer(entries, f"{arch}.vocab_size") or _integer(entries, _TOKENS) or 32000,
        context_tokens=_integer(entries, f"{arch}.context_length") or 4096,
        weight_bytes=sum(file.stat().st_size for file in files),
        dtype="float16",
        quantisation="gguf",
        variant=FILE_TYPES.get(-1 if file_type is None else file_type) or (named[1].upper() if named else ""),
        format="gguf",
        source=str(first),
        assumptions=tuple(notes),
        licence=str(entries.get("general.license", "")),
    )


def _integers(entries: dict[str, Value], key: str) -> list[int]:
    value = entries.get(key)
    return [
        int(item)
        for item in (value if isinstance(value, list) else [value])
        if isinstance(item, int) and 0 <= item < 2**31
    ]


def _integer(entries: dict[str, Value], key: str) -> int | None:
    """One number, or the first of a list."""
    found = _integers(entries, key)
    return found[0] if found else None


def _attention(
    entries: dict[str, Value], arch: str, hidden: int, heads: int, notes: list[Text]
) -> tuple[Attention, ...]:
    layers = _integer(entries, f"{arch}.block_count")
    if not layers or not 0 < layers <= _KEPT_ARRAY:
        raise FactsMissing(
            "the GGUF header has no usable block_count", "GGUFのヘッダーに使える block_count がありません"
        )
    per_layer = _integers(entries, f"{arch}.attention.head_count_kv") or [heads]
    kv_heads = per_layer if len(per_layer) == layers else per_layer[:1] * layers
    key_dim = _integer(entries, f"{arch}.attention.key_length") or hidden // heads
    value_dim = _integer(entries, f"{arch}.attention.value_length") or hidden // heads
    window = _integer(entries, f"{arch}.attention.sliding_window") or None
    slides = _sliding(entries, arch, layers) if window else [False] * layers
    if window and not any(slides):
        notes.append(
            Text(
                f"{arch} names a window of {window} tokens; every layer is counted whole.",
                f"{arch} には{window}トークンの窓がありますが、全層を窓なしで計算しています。",
            )
        )
    counts: dict[tuple[int, bool], int] = {}
    for layer_heads, slid in zip(kv_heads, slides, strict=True):
        counts[layer_heads, slid] = counts.get((layer_heads, slid), 0) + 1
    return tuple(
        Attention(count, layer_heads, key_dim, value_dim, window if slid else None)
        for (layer_heads, slid), count in counts.items()
    )


def _sliding(entries: dict[str, Value], arch: str, layers: int) -> list[bool]:
    stated = entries.get(f"{arch}.attention.sliding_window_pattern")
    if isinstance(stated, list) and len(stated) == layers:
        return [bool(item) for item in stated]
    every = stated if isinstance(stated, int) and stated > 1 else SLIDING_PATTERNS.get(arch)
    return [bool(every) and (n + 1) % (every or 1) != 0 for n in range(layers)]


def _shards(path: Path) -> tuple[Path, list[Path]]:
    """The file with the header and all files of its set. Raises FactsMissing when one is missing."""
    match = _SHARD.match(path.name)
    if match is None:
        return path, [path]
    count = int(match["count"])
    files = [path.with_name(f"{match['stem']}-{n:05}-of-{match['count']}.gguf") for n in range(1, count + 1)]
    if missing := [file.name for file in files if not file.is_file()]:
        raise FactsMissing(f"{path}: {missing[0]} is missing", f"{path}: {missing[0]} がありません")
    return files[0], files
