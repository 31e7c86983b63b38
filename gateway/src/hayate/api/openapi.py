"""GET /openapi.json: the document of the whole surface, made of the table of paths.

Every row of the table stands in it with every status that it may answer, and nothing else does: what a path reads and
answers is said beside its code (`api.operations`, `api.call_operations`), what its guard refuses by the guard, and what
may be wrong with any request by `ANY`. Bodies of errors are those of the path's dialect.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hayate import __version__
from hayate.access.limit_headers import LIMIT_FIELDS
from hayate.api.gateway import Gateway
from hayate.api.openapi_security import GUARDS, SCHEMES, WHOSE, Errors, Json
from hayate.api.operations import EVENTS, JSON, Content, Described, Operation, described
from hayate.errors import (
    ConversationLocked,
    GatewayError,
    HeadersTooLarge,
    InvalidRequest,
    Overloaded,
    RateLimited,
    ReadTimeout,
    UnknownPath,
    UnknownResponse,
    UrlTooLong,
)
from hayate.upstream_errors import EngineError, UpstreamTimeout
from hayate.wire.conversation_field import TELLS, TELLS_OMITTED
from hayate.wire.error_bodies import OPENAI, Dialect
from hayate.wire.request_schemas import COMMON, common_fields
from hayate.wire.tool_names import OMITTED

ANY: Final[Errors] = (InvalidRequest, ReadTimeout, UrlTooLong, HeadersTooLarge, Overloaded)
"""What a connection says before it is known what is asked (`downstream`), in OpenAI's shape."""
ENGINES_OWN: Final = "4XX"
"""What an engine finds wrong with a request has the engine's own status."""
REF: Final = "#/components/schemas/{model}"
_HEADERS: Final[dict[int, dict[str, Json]]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}},
    415: {"Accept-Encoding": {"schema": {"type": "string"}, "required": True}},
    429: {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}},
    503: {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}},
}
_REQUEST_ID: Final[Json] = {
    "schema": {"type": "string"},
    "required": True,
    "description": "The call's name in the log and at the engine: the caller's own, if it sent a usable one.",
}
_LEFT: Final[dict[str, Json]] = {
    name.decode(): {
        "schema": {"type": "string" if b"-reset-" in name else "integer"},
        "description": "Of the limit that is nearest, for a key that has one; how long until it is free again, as 6m0s.",
    }
    for name in LIMIT_FIELDS
}
"""What calls are told of their key's limits."""
_KEPT: Final[dict[str, Json]] = {
    TELLS.decode(): {
        "schema": {"type": "string"},
        "description": "Which conversation it is, for a call that names one.",
    },
    TELLS_OMITTED.decode(): {
        "schema": {"type": "integer", "minimum": 1},
        "description": "How many of its turns no longer fit, and did not go along.",
    },
}
"""What calls are told that go on with a conversation."""
_OMITTED: Final[dict[str, Json]] = {
    OMITTED.decode(): {
        "schema": {"type": "string"},
        "description": "The kinds of tools that were offered and left out, where no engine here has such tools: web_search, say.",
    }
}
"""What calls for a response are told."""
_SAYS: Final = {
    200: "As asked.",
    201: "It is made.",
    204: "There is nothing to say.",
    206: "The part that was asked for.",
    304: "What the browser has is still good.",
    416: "There is no such part.",
    503: "Not ready.",
}


_LATE: Final = UpstreamTimeout("The engine sent nothing for 60 s.")
"""An error in a stream that has begun, which each dialect writes in its own way."""


class Documented:
    """One row of the table, as far as the document is about it."""

    __slots__ = ("by_method", "dialect", "guard", "path")

    def __init__(self, path: str, guard: Any, by_method: Mapping[str, Operation], dialect: Dialect = OPENAI) -> None:
        self.path = path
        self.guard = guard
        self.by_method = by_method
        self.dialect = dialect


def shown(rows: Callable[[], Iterable[Documented]]) -> Described:
    """GET /openapi.json, whose rows can be had once the whole table is there."""
    made: list[bytes] = []

    @described(
        "This document. It is here where the operator wants it (server.openapi).",
        {"type": "object"},
        errors=(UnknownPath,),
    )
    async def show(_: Request, gateway: Gateway) -> Response:
        if not gateway.settings.openapi:
            raise HTTPException(404)
        if not made:
            # Off the loop: pydantic takes its time to write down what it knows.
            made.append(await asyncio.to_thread(lambda: orjson.dumps(document(rows()))))
        return Response(made[0], media_type=JSON)

    return show


def document(rows: Iterable[Documented]) -> Json:
    """The document of these rows."""
    shapes = _Shapes()
    paths: dict[str, Json] = {}
    for row in rows:
        path = re.sub(r":\w+}", "}", row.path)
        for method, operation in row.by_method.items():
            paths.setdefault(path, {})[method.lower()] = _operation(row, path, method, operation, shapes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hayate",
            "version": __version__,
            "description": "Errors are told in English, or in Japanese with `Accept-Language: ja`. HEAD is served wherever GET is.",
        },
        "paths": paths,
        "components": {
            "schemas": shapes.definitions(),
            "headers": {"X-Request-Id": _REQUEST_ID, **_LEFT, **_KEPT, **_OMITTED},
            "securitySchemes": dict(SCHEMES),
        },
    }


class _Shapes:
    """Shapes of bodies: a reference for each that pydantic knows, and what they refer to, once."""

    def __init__(self) -> None:
        self._found: dict[str, Json] = {COMMON: dict(common_fields())}

    def schema(self, shape: Any, mode: Any = "serialization") -> Json:
        """The schema of a shape; answers are as they are written, bodies (`validation`) as they are read."""
        if isinstance(shape, Mapping):
            return dict(shape)
        made = TypeAdapter(shape).json_schema(ref_template=REF, mode=mode)
        self._found |= made.pop("$defs", {})
        name = made.get("title")
        if not isinstance(shape, type) or name is None:
            return made
        self._found[name] = made
        return {"$ref": REF.format(model=name)}

    def error(self, dialect: Dialect) -> Json:
        """The body of an error in this dialect."""
        self._found[dialect.name] = dialect.schema
        return {"$ref": REF.format(model=dialect.name)}

    def definitions(self) -> Json:
        """All that is referred to."""
        return dict(sorted(self._found.items()))


def _operation(row: Documented, path: str, method: str, operation: Operation, shapes: _Shapes) -> Json:
    refused, whose = GUARDS[row.guard]
    said: Json = {
        "summary": operation.says,
        "operationId": re.sub(r"\W+", "_", f"{method.lower()}{path}").strip("_"),
        "parameters": [*_parameters(path, operation)],
        "responses": _responses(row, operation, refused, shapes),
    }
    if operation.body:
        content = {kind: {"schema": shapes.schema(shape, "validation")} for kind, shape in operation.body.items()}
        said["requestBody"] = {"required": operation.body_required, "content": content}
    if whose:
        about, takes = WHOSE[whose]
        said |= {"security": takes, "description": about}
    return said


def _parameters(path: str, operation: Operation) -> Iterable[Json]:
    for name in re.findall(r"{(\w+)}", path):
        about = operation.path.get(name, "")
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}, "description": about}
    for name, schema in operation.query.items():
        rest = {key: value for key, value in schema.items() if key != "required"}
        yield {"name": name, "in": "query", "required": schema.get("required") is True, "schema": rest}
    for name, about in operation.headers.items():
        yield {"name": name, "in": "header", "schema": {"type": "string"}, "description": about}


def _responses(row: Documented, operation: Operation, refused: Errors, shapes: _Shapes) -> Json:
    found: dict[str, Json] = {}
    for status, content in operation.answers.items():
        found[str(status)] = _response(_SAYS.get(int(status), ""), content, shapes)
        if EVENTS in content:
            late = row.dialect.frame(_LATE, "en").decode()
            found[str(status)]["content"][EVENTS]["examples"] = {"late": {"summary": "An error.", "value": late}}
    for dialect, errors in ((row.dialect, (*refused, *operation.errors)), (OPENAI, ANY)):
        for kind in errors:
            status = ENGINES_OWN if kind is EngineError else str(dialect.status_of(kind))
            _add_error(found, status, kind, shapes.error(dialect))
    for status, response in found.items():
        headers = ["X-Request-Id", *(_LEFT if status in ("200", "429") and RateLimited in operation.errors else ())]
        headers += _KEPT if status == "200" and ConversationLocked in operation.errors else ()
        headers += _OMITTED if status == "200" and {UnknownResponse, ConversationLocked} <= {*operation.errors} else ()
        response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
        response["headers"] |= _HEADERS.get(int(status), {}) if status.isdigit() else {}
    return dict(sorted(found.items()))


def _response(says: str, content: Content, shapes: _Shapes) -> Json:
    response: Json = {"description": says}
    if content:
        response["content"] = {kind: {"schema": shapes.schema(shape)} for kind, shape in content.items()}
    return response


def _add_error(found: dict[str, Json], status: str, kind: type[GatewayError], schema: Json) -> None:
    """One error more of a status, which others may have too: what it is, and a body like this."""
    response = found.setdefault(status, {"description": ""})
    says = (kind.__doc__ or "").partition("\n")[0]
    if says not in response["description"]:
        response["description"] = f"{response['description']} {says}".strip()
    content = response.setdefault("content", {})
    known: Sequence[Json] = content.get(JSON, {}).get("schema", {}).get("anyOf") or [
        each["schema"] for each in [content.get(JSON)] if each
    ]
    if schema not in known:
        known = [*known, schema]
    content[JSON] = {"schema": known[0] if len(known) == 1 else {"anyOf": known}}
