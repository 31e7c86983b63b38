"""What the document of the surface (`api.openapi`) says of a path: written beside the code that reads and answers there.

A shape is a type that pydantic knows, or a JSON Schema as it is. An answer's content is its shapes by media type; without
any it has no body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from hayate.api.gateway import Gateway
from hayate.errors import GatewayError

Handler = Callable[[Request, Gateway], Awaitable[Response]]
Content = Mapping[str, Any]
NOTHING: Final[Content] = {}
JSON: Final = "application/json"
EVENTS: Final = "text/event-stream"
ANYTHING: Final = "*/*"
TEXT: Final[Mapping[str, Any]] = {"type": "string"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path."""

    says: str
    """What it does, in one sentence."""
    answers: Mapping[int | str, Content] = field(default_factory=dict)
    """By status; those of errors are told by `errors` and by the path's guard."""
    errors: tuple[type[GatewayError], ...] = ()
    """What its handler raises."""
    body: Content = field(default_factory=dict)
    body_required: bool = True
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """JSON Schemas by name; one is required that says so by a keyword of its own, `required: true`."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Request headers that change the answer, and how."""
    path: Mapping[str, str] = field(default_factory=dict)
    """What the names in the path stand for."""


class Described:
    """A handler, and what is told of it."""

    def __init__(self, handler: Handler, operation: Operation) -> None:
        self._handler = handler
        self.operation = operation
        self.__doc__ = handler.__doc__

    async def __call__(self, request: Request, gateway: Gateway) -> Response:
        """The handler's answer. Raises what that raises."""
        return await self._handler(request, gateway)


def described(says: str, shape: Any = None, status: int = 200, **more: Any) -> Callable[[Handler], Described]:
    """Tells of the handler below: its answer's shape, in JSON; nothing: it has none. `more` are fields of `Operation`."""
    answers = {status: NOTHING if shape is None else {JSON: shape}, **more.pop("answers", {})}
    operation = Operation(says=says, answers=answers, **more)
    return lambda handler: Described(handler, operation)


def body(shape: Any, *, required: bool = True) -> dict[str, Any]:
    """The fields of an operation whose body is this, in JSON."""
    return {"body": {JSON: shape}, "body_required": required}
