"""What the paths of conversations read of a request alike."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.requests import Request

from hayate.api import kept
from hayate.errors import GatewayError, InvalidRequest, UnknownConversation, UnknownItem, UnknownResponse
from hayate.wire.history_ids import is_item_id
from tests.support.tables import table


def request(query: str = "", headers: dict[str, str] | None = None, **path: str) -> Request:
    raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return Request({"type": "http", "query_string": query.encode(), "path_params": path, "headers": raw})


def test_ids_in_the_path_are_looked_at_by_their_form_alone() -> None:
    asked = request(conversation="conv_1", item="msg_1", response="resp_1")
    assert kept.conversation_in(asked) == "conv_1"
    assert kept.item_in(asked) == "msg_1"
    assert kept.response_in(asked) == "resp_1"
    wrong = request(conversation="conv 1", item="msg/1", response="conv_1")
    kinds: list[tuple[Any, type[GatewayError]]] = [
        (kept.conversation_in, UnknownConversation),
        (kept.item_in, UnknownItem),
        (kept.response_in, UnknownResponse),
    ]
    for read, kind in kinds:
        with pytest.raises(kind):
            read(wrong)


def test_a_page_is_twenty_from_the_end_unless_it_is_said() -> None:
    assert kept.page_asked(request(), is_item_id) == (None, 20, "desc")
    assert kept.page_asked(request("after=msg_1&limit=100&order=asc"), is_item_id) == ("msg_1", 100, "asc")


@table(
    ("query", "param"),
    [("after=a b", "after"), ("after=", "after"), ("limit=0", "limit"), ("limit=101", "limit"), ("order=ASC", "order")],
)
def test_a_page_that_can_t_be_is_named(query: str, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        kept.page_asked(request(query), is_item_id)
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("found", "limit", "ids", "more"),
    [
        ([], 2, ["", ""], False),
        ([1], 2, ["1", "1"], False),
        ([1, 2], 2, ["1", "2"], False),
        ([1, 2, 3], 2, ["1", "2"], True),
    ],
)
def test_a_page_says_where_the_next_begins(found: list[int], limit: int, ids: list[str], more: bool) -> None:
    told = json.loads(bytes(kept.page([{"id": str(each)} for each in found], limit).body))
    assert [told["first_id"], told["last_id"]] == ids
    assert (told["object"], told["has_more"], len(told["data"])) == ("list", more, min(limit, len(found)))


@table(("said", "size"), [(None, 0), ("12", 12), ("x", 0), ("-1", 0), ("9" * 30, 0), ("１", 0)])
def test_how_long_a_body_is_said_to_be(said: str | None, size: int) -> None:
    headers = {} if said is None else {"content-length": said}
    assert kept.size_of(request(headers=headers)) == size
