"""The parts of chat messages' contents and of items', both ways.

What is written alike comes back alike, but for: a list that holds one text alone is that text; an image's URL that
stands bare is put into its object; a part that is spelt as in /v1/responses is spelt as in chats.
"""

from __future__ import annotations

from typing import Any, Final

from hayate.wire.item_shapes import CHAT, EXTRA, OTHER, Part, add_extra, extra_of, rest_of, text_part

_TEXTS: Final = frozenset({"text", "input_text", "output_text"})
_SAID: Final = frozenset({*_TEXTS, "summary_text"})
_FILE: Final = ("file_data", "file_id", "filename")


def parts_of(content: Any, role: str) -> list[Part]:
    """A checked content as parts of an item; None is no parts."""
    if type(content) is str:
        return [text_part(role, content)]
    return [_part_of(part, role) for part in content or ()]


def content_of(parts: list[Part]) -> str | list[Part]:
    """Parts as a message's content; what chats have no words for is left out."""
    if len(parts) == 1:
        part = parts[0]
        if part["type"] in _SAID and not (EXTRA in part and extra_of(part, CHAT)):
            text: str = part["text"]
            return text
    return [said for part in parts if (said := _said(part)) is not None] or ""


def _part_of(part: dict[str, Any], role: str) -> Part:
    kind = part["type"]
    made: Part | None = None
    if kind in _TEXTS:
        if type(part.get("text")) is str:
            made = text_part(role, part["text"])
            add_extra(made, CHAT, rest_of(part, "type", "text", "annotations"))
    elif kind == "image_url":
        made = _image(part)
    elif kind == "input_audio":
        made = _audio(part)
    elif kind == "file":
        made = _file(part)
    elif kind == "input_image":
        if type(part.get("image_url")) is str:
            image = {name: part[of] for name, of in (("url", "image_url"), ("detail", "detail")) if of in part}
            made = _image({**rest_of(part, "detail"), "image_url": image})
    elif kind == "refusal" and type(part.get("refusal")) is str:
        made = {"type": "refusal", "refusal": part["refusal"]}
        add_extra(made, CHAT, rest_of(part, "type", "refusal"))
    return made or {"type": OTHER, EXTRA: {CHAT: part}}


def _image(part: dict[str, Any]) -> Part | None:
    image = part.get("image_url")
    if type(image) is str:
        image = {"url": image}
    if type(image) is not dict or type(image.get("url")) is not str:
        return None
    made: Part = {"type": "input_image", "image_url": image["url"]}
    taken = ["url"]
    if type(image.get("detail")) is str:
        made["detail"] = image["detail"]
        taken.append("detail")
    left = rest_of(part, "type", "image_url")
    if inner := rest_of(image, *taken):
        left["image_url"] = inner
    add_extra(made, CHAT, left)
    return made


def _audio(part: dict[str, Any]) -> Part | None:
    audio = part.get("input_audio")
    if type(audio) is not dict or type(audio.get("data")) is not str:
        return None
    made: Part = {"type": "input_audio", "input_audio": audio}
    add_extra(made, CHAT, rest_of(part, "type", "input_audio"))
    return made


def _file(part: dict[str, Any]) -> Part | None:
    file = part.get("file")
    if type(file) is not dict:
        return None
    taken = [name for name in _FILE if type(file.get(name)) is str]
    if not taken:
        return None
    made: Part = {"type": "input_file", **{name: file[name] for name in taken}}
    left = rest_of(part, "type", "file")
    if inner := rest_of(file, *taken):
        left["file"] = inner
    add_extra(made, CHAT, left)
    return made


def _said(part: Part) -> Part | None:
    kind = part["type"]
    left = extra_of(part, CHAT)
    if kind in _SAID:
        return {**left, "type": "text", "text": part["text"]}
    if kind == "refusal":
        return {**left, "type": "refusal", "refusal": part["refusal"]}
    if kind in ("input_image", "computer_screenshot"):
        return _image_said(part, left)
    if kind == "input_audio":
        return {**left, "type": "input_audio", "input_audio": part["input_audio"]}
    if kind == "input_file":
        return _file_said(part, left)
    return left or None


def _image_said(part: Part, left: dict[str, Any]) -> Part:
    url = part.get("image_url")
    if url is None:  # the engine says whether it has such a file
        return {"type": "file", "file": {"file_id": part.get("file_id")}}
    image = {**_inner(left, "image_url"), "url": url}
    if "detail" in part:
        image["detail"] = part["detail"]
    return {**left, "type": "image_url", "image_url": image}


def _file_said(part: Part, left: dict[str, Any]) -> Part:
    file = {**_inner(left, "file"), **{name: value for name, value in part.items() if name in _FILE}}
    if "file_url" in part:  # and that nobody fetches it is checked where messages are
        file.setdefault("file_data", part["file_url"])
    return {**left, "type": "file", "file": file}


def _inner(left: dict[str, Any], name: str) -> dict[str, Any]:
    inner = left.get(name)
    return inner if type(inner) is dict else {}
