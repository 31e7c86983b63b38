"""What the paths of conversations and responses share: whether anything is kept, ids in paths, pages in OpenAI's manner."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response

from hayate.api.bodies import MAX_DIGITS, whole_of
from hayate.api.gateway import Gateway
from hayate.errors import (
    GatewayError,
    HistoryUnavailable,
    InvalidRequest,
    NotSupported,
    RateLimited,
    UnknownConversation,
)
from hayate.settings import History
from hayate.wire import history_ids as ids

Order = Literal["asc", "desc"]
DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100
MAY_FAIL: Final = (NotSupported, HistoryUnavailable)
"""What every one of these paths may raise."""
ONE: Final = (*MAY_FAIL, UnknownConversation)
BY_ID: Final[dict[str, Any]] = {"path": {"conversation": "The conversation's id."}}
PAGING: Final[Mapping[str, Mapping[str, Any]]] = {
    "after": {"type": "string", "description": "The last id of the page before."},
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    "order": {"enum": ["asc", "desc"], "default": "desc"},
}
"""What `page_asked` reads, as JSON Schema."""
INCLUDE: Final[Mapping[str, Mapping[str, Any]]] = {
    "include": {
        "type": "array",
        "items": {"type": "string"},
        "description": "Accepted as OpenAI's; nothing that is kept is left out.",
    }
}


def page_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """The shape of a page of such things, as JSON Schema."""
    return {
        "type": "object",
        "required": ["object", "data", "first_id", "last_id", "has_more"],
        "properties": {
            "object": {"const": "list"},
            "data": {"type": "array", "items": item},
            "first_id": {"type": "string"},
            "last_id": {
                "type": "string",
                "description": "What `after` takes for the next page; empty where there is none.",
            },
            "has_more": {"type": "boolean"},
        },
    }


def kept(gateway: Gateway) -> History:
    """What is kept here, and how much. Raises NotSupported where nothing is."""
    history = gateway.settings.history
    if not history.enabled:
        raise ids.nothing_is_kept()
    return history


def project_of(request: Request) -> str:
    """Whose conversations are meant."""
    return cast(str, request.state.principal.project)


def size_of(request: Request) -> int:
    """About how many bytes the request's body has: what waits with it to be kept."""
    said = request.headers.get("content-length", "")
    return int(said) if said.isascii() and said.isdigit() and len(said) <= MAX_DIGITS else 0


def once(under_way: set[str], project: str, what: str, what_ja: str) -> None:
    """What costs much is done once at a time for each project. Raises RateLimited."""
    if project in under_way:
        raise RateLimited(
            f"{what} for your project already. Try again when that has ended.",
            f"このプロジェクトでは{what_ja}。完了してから、もう一度お試しください。",
            retry_after_s=5,
        )


def conversation_in(request: Request) -> str:
    """The conversation's id in the path. Raises UnknownConversation for what is none by its form."""
    return _named(request, "conversation", ids.is_conversation_id, ids.unknown_conversation)


def item_in(request: Request) -> str:
    """The item's id in the path. Raises UnknownItem for what is none by its form."""
    return _named(request, "item", ids.is_item_id, ids.unknown_item)


def response_in(request: Request) -> str:
    """The response's id in the path. Raises UnknownResponse for what is none by its form."""
    return _named(request, "response", ids.is_response_id, ids.unknown_response)


def _named(request: Request, name: str, is_one: Callable[[str], bool], unknown: Callable[[str], GatewayError]) -> str:
    wanted: str = request.path_params[name]
    if not is_one(wanted):
        raise unknown(wanted)
    return wanted


def page_asked(request: Request, is_one: Callable[[str], bool]) -> tuple[str | None, int, Order]:
    """`after`, `limit` and `order` of a list, whose ids look as `is_one` says. Raises InvalidRequest."""
    after = request.query_params.get("after")
    if after is not None and not is_one(after):
        raise after_what()
    order = request.query_params.get("order", "desc")
    if order not in ("asc", "desc"):
        raise InvalidRequest(
            "'order' must be asc or desc.", "'order' はascまたはdescのいずれかにしてください。", param="order"
        )
    return after, whole_of(request, "limit", DEFAULT_LIMIT, MAX_LIMIT), cast(Order, order)


def after_what() -> InvalidRequest:
    """Nothing in the list has the id that a page is to begin after."""
    return InvalidRequest(
        "'after' must be the last id of the page before (last_id); nothing in this list has that id, or no longer.",
        "'after' には前のページの最後のID（last_id）を指定してください。このIDはこの一覧にありません。",
        param="after",
    )


def page(found: Sequence[Mapping[str, Any]], limit: int) -> Response:
    """A page of at most `limit`, of which one more was looked for."""
    data = found[:limit]
    return json(
        {
            "object": "list",
            "data": data,
            "first_id": data[0]["id"] if data else "",
            "last_id": data[-1]["id"] if data else "",
            "has_more": len(found) > limit,
        }
    )


def json(answer: Any, status: int = 200) -> Response:
    """The answer as JSON."""
    return Response(orjson.dumps(answer), status, media_type="application/json")
