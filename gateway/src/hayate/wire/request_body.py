"""The bytes of a request as a JSON object: one reading, in time linear in their length."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Container
from typing import Any, Final

import orjson

from hayate.errors import InvalidRequest
from hayate.wire.json_values import MAX_WEIGHT_PER_MIB, NESTED, too_many_values
from hayate.wire.refusals import named, wrong

MAX_DEPTH: Final = 128
NESTING: Final = frozenset({dict, list})
"""The types of values that hold values."""
_LONG_BYTES: Final = 64 * 1024
"""From here on the values are looked through faster than the bytes."""
_SHORT_BYTES: Final = 2 * MAX_DEPTH
"""What is nested deeper takes more: an object or list is two."""
_LONG_LIST: Final = 64
"""From here on it pays to ask first whether anything in it is nested."""


def parse_object(
    body: bytes, max_weight_per_mib: int = MAX_WEIGHT_PER_MIB, *, walked: Container[str] = ()
) -> dict[str, Any]:
    """The body as a JSON object. Raises InvalidRequest; never anything else, whatever the bytes.

    A byte order mark before it is skipped. How deep the fields named in `walked` go is left to who walks through them anyway.
    """
    if len(body) * NESTED > max_weight_per_mib and too_many_values(body, max_weight_per_mib):
        raise InvalidRequest(
            "The request body holds too many values for its size: send fewer objects, lists and numbers in one request, or "
            "let the operator allow more (server.max_json_weight_per_mib).",
            "リクエスト本文に含まれる値が多すぎます。1回のリクエストのオブジェクト・リスト・数値を減らしてください"
            "（管理者が server.max_json_weight_per_mib で増やせます）。",
        )
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if body.startswith(BOM_UTF8) and not body.startswith(BOM_UTF8, len(BOM_UTF8)):
            # as some editors and tools put one before a file
            return parse_object(body[len(BOM_UTF8) :], max_weight_per_mib, walked=walked)
        if not body.strip():
            raise InvalidRequest(
                "The request body is empty; send a JSON object.",
                "リクエスト本文が空です。JSONオブジェクトを送ってください。",
            ) from None
        raise InvalidRequest(
            f"The request body is not valid JSON: {error}.", f"リクエスト本文が正しいJSONではありません: {error}"
        ) from None
    if not isinstance(value, dict):
        raise InvalidRequest(
            f"The request body is {named(value)}; send a JSON object.",
            "リクエスト本文がJSONオブジェクトではありません。オブジェクト（{ … }）を送ってください。",
        )
    if len(body) > _SHORT_BYTES and (len(body) > _LONG_BYTES or body.count(b"[") + body.count(b"{") > MAX_DEPTH):
        _check_depth([each for name, each in value.items() if type(each) in NESTING and name not in walked])
    return value


def model_of(fields: dict[str, Any]) -> str | None:
    """The model's name that a request gives. Raises InvalidRequest."""
    model = fields.get("model")
    if model is not None and type(model) is not str:
        raise wrong("model", "a string", "文字列")
    return model


def inside(level: list[Any]) -> list[Any]:
    """The objects and lists one level below those of `level`."""
    return [
        item
        for each in level
        if len(each) < _LONG_LIST or not NESTING.isdisjoint(map(type, each.values() if type(each) is dict else each))
        for item in (each.values() if type(each) is dict else each)
        if type(item) in NESTING
    ]


def too_deep() -> InvalidRequest:
    """Engines and templates read what is nested by calling themselves."""
    return InvalidRequest(
        f"The request body is nested deeper than {MAX_DEPTH} levels.",
        f"リクエスト本文の入れ子が{MAX_DEPTH}段を超えています。",
    )


def _check_depth(level: list[Any]) -> None:
    depth = 1
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise too_deep()
        level = inside(level)
