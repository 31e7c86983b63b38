"""What the operator's and the owner's own endpoints read and write: JSON that is checked whole, and pages of lists."""

from __future__ import annotations

from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from hayate.api.gateway import Gateway
from hayate.api.wanted import wanted
from hayate.downstream.asgi_stream import AsgiStream
from hayate.downstream.client import Client
from hayate.errors import InvalidRequest
from hayate.language import Text
from hayate.wire.request_body import parse_object

MAX_BODY_BYTES: Final = 65_536
PAGE: Final = 100
MAX_PAGE: Final = 1000
MAX_NAME_CHARS: Final = 200
"""Of a field's name that is told back."""
MAX_DIGITS: Final = 19
"""Of a number of 64 bits; more of them take Python ever longer to read."""

_NO_FIELD: Final = frozenset({"extra_forbidden", "unexpected_keyword_argument"})

LIMIT: Final = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": PAGE}
PAGING: Final = {"after": {"type": "string", "description": "The last id of the page before."}, "limit": LIMIT}
"""What `paging` reads, as JSON Schema."""

Body = TypeVar("Body", bound=BaseModel)


async def raw_of(request: Request, gateway: Gateway, limit: int) -> bytes:
    """A body of at most `limit` bytes as it came, decoded. Raises GatewayError, ClientGone."""
    stream = AsgiStream(request.scope, request.receive, _answers_nothing)  # read as a call's body is
    return await Client(stream, gateway.ticker, gateway.settings.heartbeat_s).body(limit)


async def object_of(request: Request, gateway: Gateway, limit: int = MAX_BODY_BYTES) -> dict[str, object]:
    """The JSON object in a body of at most `limit` bytes; an empty one says nothing. Raises GatewayError, ClientGone."""
    raw = await raw_of(request, gateway, limit)
    return parse_object(raw, gateway.settings.caps.max_weight_per_mib) if raw.strip() else {}


async def body_of(request: Request, gateway: Gateway, model: type[Body], limit: int = MAX_BODY_BYTES) -> Body:
    """The body, of at most `limit` bytes, checked. Raises InvalidRequest naming the first field that is not as it should be."""
    said = await object_of(request, gateway, limit)
    for name in said:
        if name not in model.model_fields:  # the first is enough: a body may have very many
            raise _no_field(name)
    try:
        return model.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(each) for each in first["loc"]) or "body"
        if first["type"] in _NO_FIELD:
            raise _no_field(field) from None
        if first["type"] == "missing":
            raise InvalidRequest(f"'{field}' is missing.", f"'{field}' を指定してください。", param=field) from None
        form = wanted(first["type"], first.get("ctx", {})) or Text(first["msg"], first["msg"])
        raise InvalidRequest(
            f"'{field}' must be {form.en}.", f"'{field}' は{form.ja}にしてください。", param=field
        ) from None


def _no_field(name: str) -> InvalidRequest:
    shown = name[:MAX_NAME_CHARS]
    return InvalidRequest(f"There is no field '{shown}' here.", f"'{shown}' という項目はありません。", param=shown)


def json_answer(answer: BaseModel, status: int = 200) -> Response:
    """The answer as JSON."""
    return Response(answer.model_dump_json(), status, media_type="application/json")


def paging(request: Request) -> tuple[str | None, int]:
    """`after` and `limit` of a list. Raises InvalidRequest."""
    return request.query_params.get("after"), whole_of(request, "limit", PAGE, MAX_PAGE)


def whole_of(request: Request, name: str, default: int, most: int) -> int:
    """A whole number of the query, from 1 to `most`. Raises InvalidRequest."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > MAX_DIGITS or not 1 <= int(text) <= most:
        raise InvalidRequest(
            f"'{name}' must be a whole number from 1 to {most}.",
            f"'{name}' は1以上{most}以下の整数にしてください。",
            param=name,
        )
    return int(text)


async def _answers_nothing(message: Message) -> None:
    raise RuntimeError(f"this is answered by Starlette, not with {message['type']}")
