"""The blocks of Anthropic's contents and the parts of items', both ways."""

from __future__ import annotations

from typing import Any, Final

from hayate.wire.item_shapes import EXTRA, MESSAGES, OTHER, Part, add_extra, extra_of, rest_of, text_part

_TEXTS: Final = frozenset({"input_text", "output_text", "text", "summary_text"})
_DOCUMENT: Final = "document"
_KINDS: Final = {"image": ("input_image", "image_url", "image_url"), _DOCUMENT: ("input_file", "file_data", "file_url")}
"""The part of each, and its fields for base64 and for a URL."""


def part_of(block: dict[str, Any], role: str) -> Part:
    """A checked block as a part."""
    kind = block["type"]
    part: Part | None = None
    if kind == "text":
        part = text_part(role, block["text"])
        add_extra(part, MESSAGES, rest_of(block, "type", "text"))
    elif kind in _KINDS:
        part = _medium(block)
        if part is None and kind == _DOCUMENT:
            part = _written(block, role)
    return part or {"type": OTHER, EXTRA: {MESSAGES: block}}


def block_of(part: Part) -> dict[str, Any] | None:
    """A part as a block; None for what Anthropic's messages have no words for, and for no text."""
    kind, left = part["type"], extra_of(part, MESSAGES)
    if kind in _TEXTS:
        if type(left.get(_DOCUMENT)) is dict:
            document = left[_DOCUMENT]
            return {**document, "type": _DOCUMENT, "source": {**_dict(document.get("source")), "data": part["text"]}}
        return {**left, "type": "text", "text": part["text"]} if part["text"] else None
    if kind in ("refusal", "output_audio"):
        text = part.get("refusal") or part.get("transcript")
        return {"type": "text", "text": text} if text else None
    if kind in ("input_image", "computer_screenshot"):
        return _said("image", part.get("image_url"), part, left)
    if kind == "input_file":
        block = _said(_DOCUMENT, part.get("file_data") or part.get("file_url"), part, left)
        return {**block, "title": part["filename"]} if "filename" in part else block
    return left or None


def _medium(block: dict[str, Any]) -> Part | None:
    """An image or a document that is a file; None for what is none."""
    made, coded, named = _KINDS[block["type"]]
    source = _dict(block.get("source"))
    kind = source.get("type")
    part: Part = {"type": made}
    if kind == "base64" and _are_texts(source, "media_type", "data"):
        part[coded] = f"data:{source['media_type']};base64,{source['data']}"
        inner = rest_of(source, "type", "media_type", "data")
    elif kind == "url" and _are_texts(source, "url"):
        part[named] = source["url"]
        inner = rest_of(source, "type", "url")
    elif kind == "file" and _are_texts(source, "file_id"):
        part["file_id"] = source["file_id"]
        inner = rest_of(source, "type", "file_id")
    else:
        return None
    left = rest_of(block, "type", "source")
    if made == "input_file" and type(left.get("title")) is str:
        part["filename"] = left.pop("title")
    if inner:
        left["source"] = inner
    add_extra(part, MESSAGES, left)
    return part


def _written(block: dict[str, Any], role: str) -> Part | None:
    """A document that is text, which any model can read."""
    source = _dict(block.get("source"))
    if source.get("type") != "text" or not _are_texts(source, "data"):
        return None
    part = text_part(role, source["data"])
    add_extra(part, MESSAGES, {_DOCUMENT: {**rest_of(block, "source"), "source": rest_of(source, "data")}})
    return part


def _said(kind: str, url: Any, part: Part, left: dict[str, Any]) -> dict[str, Any]:
    source = dict(_dict(left.get("source")))
    if type(url) is not str:
        source |= {"type": "file", "file_id": part.get("file_id")}
    elif url[:5].lower() == "data:" and (head := url.partition(",")[0]).endswith(";base64"):
        source |= {"type": "base64", "media_type": head[5:].removesuffix(";base64"), "data": url[len(head) + 1 :]}
    else:
        source |= {"type": "url", "url": url}
    return {**left, "type": kind, "source": source}


def _are_texts(fields: dict[str, Any], *names: str) -> bool:
    return all(type(fields.get(name)) is str for name in names)


def _dict(value: Any) -> dict[str, Any]:
    return value if type(value) is dict else {}
