"""What a request may not make an engine do: fetch or connect where a caller names, load tensors, take what is too
large.

Media must come inside the request, because the engine would fetch any other URL from inside the operator's network. A
walk looks at every object once and builds no names; the place of a fault is found when there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from hayate.errors import InvalidRequest
from hayate.wire.caps import RISKY_FIELDS, Caps
from hayate.wire.request_body import MAX_DEPTH, NESTING, inside, too_deep

MEDIA: Final = (
    "image_url",
    "video_url",
    "audio_url",
    "file_url",
    "input_audio",
    "file",
    "image",
    "video",
    "audio",
)
EMBEDDINGS: Final = ("image_embeds", "audio_embeds", "video_embeds")
_LOOKED_AT: Final = frozenset({*MEDIA, *EMBEDDINGS})
_SOURCE: Final = _LOOKED_AT | {"source"}
_RISKY_NAMES: Final = frozenset(RISKY_FIELDS)

Fault = Callable[[str], InvalidRequest]
"""Makes the refusal, given the place of the object at fault."""


def check_risky(fields: dict[str, Any], caps: Caps) -> None:
    """Refuses the fields that an operator must allow by name."""
    if _RISKY_NAMES.isdisjoint(fields):
        return
    for name in _RISKY_NAMES.intersection(fields):
        if fields[name] is not None and name not in caps.allow_fields:
            raise InvalidRequest(
                f"'{name}' is not accepted here: {RISKY_FIELDS[name]}. The operator can allow it (safety.allow_fields).",
                f"'{name}' はここでは受け付けません。管理者が safety.allow_fields で許可できます。",
                param=name,
            )


def check_tools(tools: Any) -> None:
    """A tool that lives at a URL of the caller's (MCP in /v1/responses) would make the engine connect there."""
    for n, tool in enumerate(tools if isinstance(tools, list) else ()):
        if isinstance(tool, dict) and tool.get("server_url") is not None:
            raise InvalidRequest(
                f"'tools.{n}.server_url' is not accepted: the gateway lets no engine connect where a caller names.",
                f"'tools.{n}.server_url' は受け付けません。呼び出し側が指定した接続先は使えません。",
                param=f"tools.{n}.server_url",
            )


def check_sources(name: str, value: Any, caps: Caps) -> None:
    """Every object inside the field `name` that names a medium: it must bring it along. Raises InvalidRequest."""
    levels = [[value] if type(value) in NESTING else []]
    while levels[-1]:
        if len(levels) >= MAX_DEPTH:
            raise too_deep()
        for item in levels[-1]:
            if type(item) is dict and not _SOURCE.isdisjoint(item):
                fault = media_fault(item, caps) or _source_fault(item, caps)
                if fault is not None:
                    raise fault(_place(name, levels, item))
        levels.append(inside(levels[-1]))


def media_fault(part: dict[str, Any], caps: Caps) -> Fault | None:
    """What is wrong with the media of one object; None when nothing is."""
    if _LOOKED_AT.isdisjoint(part):
        return None
    for kind in sorted(_LOOKED_AT.intersection(part)):
        value = part[kind]
        if value is None:
            continue
        if kind in EMBEDDINGS:
            if kind not in caps.allow_fields:
                return _tensors(kind)
            continue
        named = [value.get(name) for name in ("url", "data", "file_data")] if isinstance(value, dict) else [value]
        for medium in named:
            if isinstance(medium, str) and medium and (fault := _medium_fault(kind, medium, caps)):
                return fault
    return None


def _medium_fault(kind: str, medium: str, caps: Caps) -> Fault | None:
    if (kind.endswith("_url") or "://" in medium[:32]) and medium[:5].lower() != "data:":
        if kind in ("image_url", "image") and caps.image_hosts.allow(medium):
            return None
        return lambda where: _fetched(f"{where}.{kind}")
    if len(medium) > caps.max_media_bytes * 4 // 3 + 64:
        return lambda where: InvalidRequest(
            f"'{where}.{kind}' is over {caps.max_media_bytes} bytes.",
            f"'{where}.{kind}' が上限（{caps.max_media_bytes}バイト）を超えています。",
            param=f"{where}.{kind}",
        )
    return None


def _tensors(kind: str) -> Fault:
    return lambda where: InvalidRequest(
        f"'{where}.{kind}' is not accepted here: raw tensors are loaded by the engine (safety.allow_fields).",
        f"'{where}.{kind}' はここでは受け付けません。管理者が safety.allow_fields で許可できます。",
        param=f"{where}.{kind}",
    )


def _source_fault(item: dict[str, Any], caps: Caps) -> Fault | None:
    """Anthropic's blocks that name their content by a URL: an image of a listed host, nothing else."""
    source = item.get("source")
    if not isinstance(source, dict) or (source.get("type") != "url" and source.get("url") is None):
        return None
    url = source.get("url")
    if item.get("type") == "image" and isinstance(url, str) and caps.image_hosts.allow(url):
        return None
    return lambda where: _fetched(f"{where}.source")


def _fetched(where: str) -> InvalidRequest:
    """What is said of a medium that the engine would have to fetch."""
    return InvalidRequest(
        f"'{where}' must be a data: URL or base64 data: the gateway lets no engine fetch what a caller names, "
        f"except images from hosts that the operator lists (safety.image_hosts).",
        f"'{where}' は`data:`のURLまたはbase64データにしてください。呼び出し側が指定したURLからの取得は、"
        f"管理者が safety.image_hosts に登録したホストの画像に限ります。",
        param=where,
    )


def _place(name: str, levels: list[list[Any]], item: Any) -> str:
    """The path of an object that stands in the last of `levels`: from level to level the holder is looked for, each seen once."""
    path: list[str] = []
    for above in reversed(levels[:-1]):
        holder, key = _holder(above, item)
        path.append(key)
        item = holder
    return ".".join((name, *reversed(path)))


def _holder(above: list[Any], item: Any) -> tuple[Any, str]:
    for holder in above:
        for key, each in holder.items() if type(holder) is dict else enumerate(holder):
            if each is item:
                return holder, str(key)[:64]
    raise LookupError("a nested value without a holder")
