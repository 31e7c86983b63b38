"""What a call may say, as JSON Schema: made of the tables that requests are checked by (`numbers`, `caps`, `generate`), so
that the two can't part.

The schemas say what is checked here for all engines alike. A field that they don't name passes to the engine, and what
the engine thinks of it is told to the caller; `null` is "not set" in all that they name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hayate.wire.caps import RISKY_FIELDS
from hayate.wire.generate import FIELDS
from hayate.wire.generate import NUMBERS as GENERATE_NUMBERS
from hayate.wire.numbers import LIMITS, MAX_TOKENS, REAL, WHOLE
from hayate.wire.paths import CHAT, MESSAGES, RESPONSES, TEXT
from hayate.wire.validation import MAX_STOPS, SAY_NOTHING

Schema = Mapping[str, Any]
COMMON: Final = "CallFields"

_MODEL: Final[Schema] = {
    "type": ["string", "null"],
    "description": "An alias, a deployment or the engine's own id, as GET /v1/models lists them. None: `default`.",
}
_STREAM: Final[Schema] = {"type": ["boolean", "null"], "description": "Whether the answer comes as events."}
_STOP: Final[Schema] = {
    "anyOf": [
        {"type": ["string", "null"]},
        {"type": "array", "maxItems": MAX_STOPS, "items": {"type": "string"}},
    ],
}
_TOOLS: Final[Schema] = {"type": ["array", "null"], "items": {"type": "object"}}
_PART: Final[Schema] = {"type": "object", "required": ["type"], "properties": {"type": {"type": "string"}}}
_SAYS_SOMETHING: Final[Schema] = {
    "required": ["role", "content"],
    "properties": {
        "role": {"type": "string", "minLength": 1},
        "content": {
            "anyOf": [{"type": "string"}, {"type": "array", "items": _PART}],
            "description": "Media come as data: URLs or base64.",
        },
    },
}
_SAYS_NOTHING: Final[Schema] = {
    "required": ["role"],
    "properties": {"role": {"enum": sorted(SAY_NOTHING)}, "content": {"type": "null"}},
}
CONVERSATION: Final[Schema] = {
    "anyOf": [
        {"type": ["string", "null"]},
        {
            "type": "object",
            "required": ["id"],
            "properties": {
                "id": {"type": "string"},
                "wait": {
                    "type": "boolean",
                    "description": "False: 409 rather than to wait for another call that goes on with it.",
                },
                "regenerate": {"type": "boolean", "description": "The last answer is made anew, and replaced."},
                "truncation": {
                    "enum": ["auto", "disabled"],
                    "description": "Disabled: 400 rather than to leave turns out that no longer fit.",
                },
            },
            "additionalProperties": False,
        },
    ],
    "description": "The id of a conversation that is kept, whose turns go along: send the new turn alone. Or `new`, for one that "
    "the answer names.",
}
KEPT_PATHS: Final = (CHAT, MESSAGES, RESPONSES)
"""Calls that may go on with a conversation; so may /generate_stream."""
_MESSAGE: Final[Schema] = {"type": "object", "anyOf": [_SAYS_SOMETHING, _SAYS_NOTHING]}


def number(name: str) -> Schema:
    """A number that is known by name, on every path."""
    if name in REAL:
        low, high = REAL[name]
        return {"type": ["number", "null"], "minimum": low, "maximum": high}
    if name in LIMITS:
        return {
            "type": ["integer", "null"],
            "minimum": -1,
            "maximum": MAX_TOKENS,
            "description": "The most tokens of the answer; -1: no limit. 0 is taken only where no answer is asked for.",
        }
    whole_low, whole_high = WHOLE[name]
    schema: dict[str, Any] = {"type": ["integer", "null"], "minimum": whole_low, "maximum": whole_high}
    if name in ("n", "best_of"):
        schema["description"] = "At most what the operator allows (safety.max_n)."
    return schema


def common_fields() -> Schema:
    """What every call may say, on any path; by the name COMMON in the document."""
    numbers = {name: number(name) for name in sorted({*WHOLE, *REAL, *LIMITS})}
    risky = {
        name: {"description": f"Refused unless the operator allows it (safety.allow_fields): {why}."}
        for name, why in RISKY_FIELDS.items()
    }
    return {"type": "object", "properties": {"model": _MODEL, "stream": _STREAM, "tools": _TOOLS, **numbers, **risky}}


def body_of(path: str) -> Schema:
    """The JSON body of a call at this path."""
    properties: dict[str, Any] = {}
    schema: dict[str, Any] = {
        "type": "object",
        "allOf": [{"$ref": f"#/components/schemas/{COMMON}"}],
        "properties": properties,
        "description": "Fields that are not named here reach the engine.",
    }
    if path in (CHAT, TEXT):
        properties |= {"stop": _STOP, "stream_options": {"type": ["object", "null"]}}
    if path == CHAT:
        properties["messages"] = {"type": "array", "items": _MESSAGE}
        properties["logprobs"] = {"type": ["boolean", "null"]}
        schema["anyOf"] = _said_or_kept("messages", {"minItems": 1})
    elif path == TEXT:
        properties["prompt"] = {"type": ["string", "array"], "description": "Texts, or the numbers of tokens."}
        properties["logprobs"] = {"type": ["boolean", "integer", "null"]}
        schema["required"] = ["prompt"]
    elif path == MESSAGES:
        properties["messages"] = {"type": "array", "items": {"type": "object"}}
    elif path == RESPONSES:
        properties["input"] = {"type": ["string", "array"]}
        properties["background"] = {"enum": [False, None], "description": "No answer is made for later."}
        properties["store"] = {"type": ["boolean", "null"], "description": "Whether the response is kept."}
        properties["previous_response_id"] = {
            "type": ["string", "null"],
            "description": "Of a response that is kept, which this one goes on from; not with `conversation`.",
        }
    if path in KEPT_PATHS:
        properties["conversation"] = CONVERSATION
    return schema


def _said_or_kept(field: str, schema: Schema) -> list[Schema]:
    """Something must be said, unless a conversation is named of which the last question is answered anew."""
    anew = {"type": "object", "required": ["regenerate"], "properties": {"regenerate": {"const": True}}}
    return [
        {"required": [field], "properties": {field: schema}},
        {"required": ["conversation"], "properties": {"conversation": anew}},
    ]


def form_of(kind: str) -> Schema:
    """A form with a recording; `kind` is what it is called."""
    return {
        "type": "object",
        "properties": {
            "file": {"type": "string", "contentMediaType": "application/octet-stream", "description": kind},
            "model": _MODEL,
        },
        "description": "Parts that are not named here reach the engine.",
    }


def generate_fields() -> dict[str, Schema]:
    """The fields of /generate_stream, in a query or in a body; there are no others."""
    fields: dict[str, Schema] = {}
    for name in FIELDS:
        if name in GENERATE_NUMBERS:
            fields[name] = number(name)
        elif name == "stop":
            fields[name] = _STOP
        elif name == "conversation":
            fields[name] = CONVERSATION
        else:
            fields[name] = {"type": ["string", "null"]}
    fields["prompt"] = {"type": "string", "minLength": 1}
    return fields


def generate_body() -> Schema:
    """The JSON body of POST /generate_stream."""
    return {
        "type": "object",
        "properties": generate_fields(),
        "anyOf": _said_or_kept("prompt", {}),
        "additionalProperties": False,
    }


def in_query(schema: Schema) -> Schema:
    """The same where everything is text: nothing is null, and one text may stand for a list."""
    if schema is CONVERSATION:
        return {"type": "string", "description": schema["description"]}
    if "anyOf" in schema:
        return {"type": "array", "maxItems": MAX_STOPS, "items": {"type": "string"}}
    kind = schema["type"]
    return schema if isinstance(kind, str) else {**schema, "type": next(each for each in kind if each != "null")}
