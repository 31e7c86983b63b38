"""Single values of the configuration that have a form of their own: what each may be, and what is said of one that is not."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, ByteSize, ConfigDict

from hayate.config.addresses import base_url
from hayate.config.mistakes import Told
from hayate.wire.image_hosts import host_mistake
from hayate.wire.origins import origin

STRICT: Final = ConfigDict(extra="forbid", allow_inf_nan=False)
"""How every section is read."""
MAX_CURRENCY_CHARS: Final = 8
MAX_GPU_CHARS: Final = 32
"""It is a label of metrics."""
_GPU_NAME: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{MAX_GPU_CHARS - 1}}}")
_SIZE: Final = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,9})?\s*(?:[kmgtp]?i?b|[kmgtp])?", re.IGNORECASE)
_SMALLEST: Final = 2**20
"""Bytes: 24 is never meant as such."""
_LARGEST: Final = 10**15
_KEY_ID: Final = re.compile(r"main|[0-9a-f]{12}")


def engine_address(value: object) -> object:
    """An engine's base URL without a trailing slash; `/v1` at the end is taken off, because paths carry it."""
    return base_url(value).removesuffix("/v1") if isinstance(value, str) else value


def listed(value: object) -> object:
    """One text where a list belongs is the list of what commas part it into, as in the environment."""
    return [part for each in value.split(",") if (part := each.strip())] if isinstance(value, str) else value


def _size(value: object) -> object:
    """What has the form of a size. Of a text that only begins with one, pydantic would take the beginning."""
    if isinstance(value, bool | float) or (isinstance(value, str) and not _SIZE.fullmatch(value.strip())):
        raise ValueError(value)
    return value


def _in_reach(size: ByteSize) -> ByteSize:
    if not _SMALLEST <= size <= _LARGEST:
        raise ValueError(size)
    return size


Size = Annotated[ByteSize, BeforeValidator(_size), AfterValidator(_in_reach)]
"""Bytes, written with a unit: 24GiB; 24GB and 24G are powers of ten."""


def shown_size(size_bytes: int) -> str:
    """In the largest unit of 1024s that it has one of."""
    for unit, factor in (("TiB", 2**40), ("GiB", 2**30)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.4g} {unit}"
    return f"{size_bytes / 2**20:.4g} MiB"


def image_host(entry: str) -> str:
    """A host that pictures may be named of, or a pattern of such. Raises Told."""
    if mistake := host_mistake(entry):
        raise Told(mistake.en, mistake.ja)
    return entry


def page_origin(entry: str) -> str:
    """The origin of a page, as browsers write it. Raises Told."""
    try:
        return origin(entry)
    except ValueError as error:
        raise Told(
            str(error),
            f"{entry[:80]!r}はオリジンではありません。https://game.exampleやhttp://localhost:5173のように"
            "（スキーム、ホスト、ポートだけで、パスは付けずに）書くか、すべてを許可する*を書いてください",
        ) from None


def probe_path(value: str) -> str:
    """A path of the engine's, or `none`. Raises Told."""
    if value != "none" and not _is_path(value):
        raise Told(
            f"{value[:80]!r} is neither a path of the engine's, such as /health, nor none",
            f"{value[:80]!r}は、/healthのようなエンジンのパスでもnoneでもありません",
        )
    return value


def engine_path(value: str) -> str:
    """A path of the engine's. Raises Told."""
    if not _is_path(value):
        raise Told(
            f"{value[:80]!r} is no path of the engine's, such as /health",
            f"{value[:80]!r}は、/healthのようなエンジンのパスではありません",
        )
    return value


def _is_path(value: str) -> bool:
    return value.startswith("/") and value.isascii() and value.isprintable() and " " not in value


def key_id(text: str) -> str:
    """The id of a key, or the owner's. Raises Told."""
    if not _KEY_ID.fullmatch(text):
        raise Told(
            f"{text[:20]!r} is no key's id: `hayate key list` shows them, and main is the owner's key",
            f"{text[:20]!r}はAPIキーのIDではありません。IDは`hayate key list`で確認できます（所有者のキーはmain）",
        )
    return text


def gpu_name(text: str) -> str:
    """A name for a GPU. Raises Told."""
    if not _GPU_NAME.fullmatch(text):
        raise Told(
            f"{text[:40]!r} is no name for a GPU: letters, digits, '-', '_' and '.', {MAX_GPU_CHARS} at most, such as gpu0",
            f"{text[:40]!r}はGPUの名前として使えません。gpu0のように、英数字と「-」「_」「.」で{MAX_GPU_CHARS}文字以内にしてください",
        )
    return text


def currency_name(text: str) -> str:
    """A currency's name or sign. Raises Told."""
    if not 1 <= len(text) <= MAX_CURRENCY_CHARS or not text.isprintable() or any(map(str.isspace, text)):
        raise Told(
            f"{text[:20]!r} is no currency's name or sign, such as USD or JPY",
            f"{text[:20]!r}は通貨の名前や記号ではありません。JPYやUSDのように書いてください",
        )
    return text
