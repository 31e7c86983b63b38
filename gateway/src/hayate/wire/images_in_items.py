"""Pictures and other files in items: taken out, so that each is kept once, and put back.

In place of a file's base64 stands `{"image_digest": …, "before": …}`: the BLAKE2b-256 of its bytes in hexadecimal digits, and
what stood before the base64 (`data:image/png;base64,`, or nothing). A file comes back as it was, its base64 without
blanks and with its padding. What names a file by a URL stays as it is. What looks like a digest and came from a caller is
kept beside an empty one: nobody can name a file that they have not sent.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Any, Final

from hayate.errors import InvalidRequest
from hayate.wire.item_shapes import EXTRA, OTHER, Item, Part

Image = tuple[bytes, str, bytes]
"""A digest of 32 bytes, a media type, the bytes."""
_Place = tuple[str, ...]
"""The keys that lead from a part to a file."""
_How = Callable[[Any, str, bool], Any]
"""What stands at a place -> what shall stand there; also told: its name, and whether it must be a file."""

DIGEST: Final = "image_digest"
_BEFORE: Final = "before"
_PLACES: Final[dict[str, tuple[_Place, ...]]] = {
    "input_image": (("image_url",),),
    "computer_screenshot": (("image_url",),),
    "input_file": (("file_data",), ("file_url",)),
    "input_audio": (("input_audio", "data"),),
    "output_audio": (("data",),),
}
_INSIDE: Final = ("url", "data", "file_data")
"""Where a part that only its dialect knows holds a file, inside one of its fields."""
_BARE: Final = (".data", ".file_data", ".result")
"""Fields whose base64 may stand alone."""
_MAX_HEAD_CHARS: Final = 256
_MAX_TYPE_CHARS: Final = 100
_BLANKS: Final = b" \t\r\n"


def taken_out(item: Item, *, where: str = "item") -> tuple[Item, list[Image]]:
    """The item with digests in place of files, and the files; the item itself when it holds none.

    Raises InvalidRequest for base64 that is none; `where` is the item's name in the request.
    """
    images: list[Image] = []

    def take(value: Any, name: str, strict: bool) -> Any:
        if isinstance(value, dict) and DIGEST in value:
            return {DIGEST: "", _BEFORE: value}
        image = _image_of(value, name, strict=strict) if isinstance(value, str) else None
        if image is None:
            return value
        before, media_type, body = image
        digest = blake2b(body, digest_size=32).digest()
        images.append((digest, media_type, body))
        return {DIGEST: digest.hex(), _BEFORE: before}

    return _changed(item, take, where), images


def put_back(item: Item, lookup: Callable[[bytes], tuple[str, bytes] | None]) -> Item:
    """The item as it was; `lookup` finds media type and bytes of a digest. Raises LookupError when it finds none."""

    def put(value: Any, _name: str, _strict: bool) -> Any:
        if not isinstance(value, dict) or DIGEST not in value:
            return value
        if not value[DIGEST]:
            return value[_BEFORE]
        found = lookup(bytes.fromhex(value[DIGEST]))
        if found is None:
            raise LookupError(f"the file {value[DIGEST]} is gone")
        return value[_BEFORE] + b64encode(found[1]).decode()

    return _changed(item, put, "")


def _changed(item: Item, how: _How, where: str) -> Item:
    """The item with something else at every place of a file; itself when nothing changes."""
    if item["type"] == "image_generation_call":
        changed_item: Item = _put(item, ("result",), how, f"{where}.result", strict=False)
        return changed_item
    for name in ("content", "output"):
        parts = item.get(name)
        if type(parts) is not list:
            continue
        changed = {
            n: new
            for n, part in enumerate(parts)
            if type(part) is dict
            and type(kind := part.get("type")) is str
            and kind in _HOLDERS
            and (new := _part_changed(part, how, f"{where}.{name}[{n}]")) is not part
        }
        if changed:
            item = {**item, name: [changed.get(n, part) for n, part in enumerate(parts)]}
    return item


def _part_changed(part: Part, how: _How, where: str) -> Part:
    kind = part["type"]
    if kind == OTHER:
        for place in list(_places_in(part)):
            part = _put(part, place, how, f"{where}.{'.'.join(place)}", strict=False)
        return part
    for place in _PLACES[kind]:
        part = _put(part, place, how, f"{where}.{'.'.join(place)}", strict=kind != "output_audio")
    return part


def _places_in(part: Part) -> Iterator[_Place]:
    extra = part.get(EXTRA)
    for dialect, left in extra.items() if type(extra) is dict else ():
        for name, value in left.items() if type(left) is dict else ():
            if type(value) is str or (type(value) is dict and DIGEST in value):
                yield EXTRA, dialect, name
            elif type(value) is dict:
                yield from ((EXTRA, dialect, name, each) for each in _INSIDE if each in value)


def _put(holder: Any, place: _Place, how: _How, where: str, *, strict: bool) -> Any:
    key, deeper = place[0], place[1:]
    if type(holder) is not dict or key not in holder:
        return holder
    old = holder[key]
    new = _put(old, deeper, how, where, strict=strict) if deeper else how(old, where, strict)
    return holder if new is old else {**holder, key: new}


_HOLDERS: Final = frozenset({*_PLACES, OTHER})


def _image_of(text: str, where: str, *, strict: bool) -> tuple[str, str, bytes] | None:
    """What stands before the base64 of a text, the media type, the bytes; None for a text that is no file."""
    if text[:5].lower() == "data:":
        end = text.find(",", 0, _MAX_HEAD_CHARS)
        head = text[:end].lower()
        if end < 0 or not head.endswith(";base64"):
            return None
        before, media_type = text[: end + 1], head[5:].partition(";")[0][:_MAX_TYPE_CHARS] or "text/plain"
    elif where.endswith(_BARE) and "://" not in text[:32]:
        before, media_type = "", "application/octet-stream"
    else:
        return None
    body = _decoded(text[len(before) :])
    if body is None and strict and (before or where.endswith(".data")):
        raise InvalidRequest(
            f"'{where}' is not valid base64. Encode the file's bytes as base64.",
            f"'{where}' が正しいbase64ではありません。ファイルのバイト列をbase64でエンコードしてください。",
            param=where,
        )
    if not body or (not strict and b64encode(body).decode() != text[len(before) :]):
        return None
    return before, media_type, body


def _decoded(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        pass
    if not text.isascii():
        return None
    coded = text.encode().translate(None, _BLANKS).rstrip(b"=")
    try:
        return b64decode(coded + b"=" * (-len(coded) % 4), validate=True)
    except ValueError:
        return None
