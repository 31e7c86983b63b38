"""What a caller may send as items, as JSON Schema: made of what they are checked by (`item_checks`, `item_shapes`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hayate.wire.item_checks import MOST_ITEMS
from hayate.wire.item_shapes import CALLS, MADE, OUTPUTS, ROLES

Schema = Mapping[str, Any]

_TEXT: Final[Schema] = {"type": "string"}
_NAME: Final[Schema] = {"type": "string", "minLength": 1}
_NAMESPACE: Final[Schema] = {"type": ["string", "null"], "minLength": 1}
_STATUS: Final[Schema] = {"enum": ["completed", "incomplete", "in_progress", None]}
_TEXT_PART: Final[Schema] = {
    "type": "object",
    "required": ["type", "text"],
    "properties": {"type": {"enum": ["input_text", "output_text", "text"]}, "text": _TEXT},
}
_REFUSAL: Final[Schema] = {
    "type": "object",
    "required": ["type", "refusal"],
    "properties": {"type": {"const": "refusal"}, "refusal": _TEXT},
}
_PICTURE: Final[Schema] = {
    "type": "object",
    "required": ["type", "image_url"],
    "properties": {
        "type": {"const": "input_image"},
        "image_url": {"type": "string", "pattern": "^data:", "description": "A data: URL."},
    },
}
_FILE: Final[Schema] = {
    "type": "object",
    "required": ["type"],
    "properties": {"type": {"enum": ["input_file", "input_audio", "output_audio"]}},
}
_CONTENT: Final[Schema] = {
    "anyOf": [_TEXT, {"type": "array", "items": {"anyOf": [_TEXT_PART, _REFUSAL, _PICTURE, _FILE]}}]
}
_THOUGHT: Final[Schema] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["type", "text"],
        "properties": {"type": {"enum": ["summary_text", "reasoning_text"]}, "text": _TEXT},
    },
}


def _kind(kind: str, required: list[str], /, **properties: Schema) -> Schema:
    said = {"type": {"const": kind}, "status": _STATUS, **properties}
    return {"type": "object", "required": ["type", *required], "properties": said}


_BY_KIND: Final[Mapping[str, Schema]] = {
    "message": _kind("message", ["role", "content"], role={"enum": [*ROLES]}, content=_CONTENT),
    **{
        call: _kind(call, ["call_id", "name", field], call_id=_NAME, name=_NAME, namespace=_NAMESPACE, **{field: _TEXT})
        for call, field in CALLS.items()
    },
    **{output: _kind(output, ["call_id", "output"], call_id=_NAME, output=_CONTENT) for output in OUTPUTS.values()},
    "reasoning": _kind("reasoning", [], summary=_THOUGHT, content=_THOUGHT),
}
ITEMS: Final[Schema] = {
    "type": "array",
    "minItems": 1,
    "maxItems": MOST_ITEMS,
    "items": {"anyOf": [_BY_KIND[kind] for kind in MADE]},
    "description": "Items in OpenAI's form: what was said, what tools were asked and returned, what was thought.",
}
"""As many as one request may bring. Pictures and files come inside them."""
KEPT_ITEM: Final[Schema] = {
    "type": "object",
    "required": ["id", "type"],
    "properties": {"id": {"type": "string"}, "type": {"type": "string"}},
    "description": "An item in OpenAI's form.",
}
"""One as it is told."""
