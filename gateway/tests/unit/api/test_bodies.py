"""What the gateway's own endpoints read is checked whole, within bounds, and each mistake names its field."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated

import pytest
from annotated_types import Ge
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.types import Message

from hayate.api.bodies import MAX_BODY_BYTES, MAX_PAGE, PAGE, body_of, json_answer, object_of, paging, whole_of
from hayate.api.gateway import Gateway
from hayate.downstream.stream import ClientGone
from hayate.errors import BodyTooLarge, InvalidRequest
from hayate.relay.ticker import Ticker
from hayate.settings import Keeping, RateLimits
from hayate.store.store import Store
from tests.support.tables import table
from tests.unit.api.bare import bare_gateway

pytestmark = pytest.mark.anyio


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = "x"
    count: Annotated[int, Ge(1)] = 1
    limits: RateLimits | None = None
    of: dict[str, RateLimits] = {}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    ticker, store = Ticker(), Store.open(tmp_path, Keeping())
    yield bare_gateway(ticker, store)
    ticker.close()
    store.close()


def request(*pieces: bytes, query: str = "", leaves: bool = False) -> Request:
    """A request whose body comes in these pieces; its client may leave after them."""
    messages: list[Message] = [{"type": "http.request", "body": each, "more_body": True} for each in pieces]
    messages.append(
        {"type": "http.disconnect"} if leaves else {"type": "http.request", "body": b"", "more_body": False}
    )

    async def receive() -> Message:
        return messages.pop(0)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": query.encode()}
    return Request(scope, receive)


async def test_a_body_may_come_in_pieces_and_an_empty_one_says_nothing(gateway: Gateway) -> None:
    found = await body_of(request(b'{"na', b'me": "game", ', b'"count": 3}'), gateway, Wanted)
    assert (found.name, found.count, found.model_fields_set) == ("game", 3, {"name", "count"})
    for empty in ((), (b"",), (b" \n",)):
        assert await object_of(request(*empty), gateway) == {}


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        (b'{"count": 0}', "count", "a number of at least 1"),
        (b'{"count": "many"}', "count", "a whole number"),
        (b'{"colour": 1}', "colour", "no field"),
        (b'{"limits": {"rpm": 60}}', "limits.rpm", "no field"),
        (b'{"limits": {"requests_per_minute": 0}}', "limits.requests_per_minute", "a number of at least 1"),
        (b'{"of": {"fast": {"tpm": 1}}}', "of.fast.tpm", "no field"),
        (b'{"limits": 7}', "limits", "an object"),
    ],
)
async def test_a_mistake_names_its_field_and_the_form(gateway: Gateway, body: bytes, param: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as told:
        await body_of(request(body), gateway, Wanted)
    assert told.value.param == param
    assert f"'{param}'" in told.value.english
    assert f"'{param}'" in told.value.japanese
    assert says in told.value.english


@pytest.mark.parametrize("body", [b"[]", b"7", b"{", b'"x"', b"null", b'{"a": NaN}', b"\xff"])
async def test_what_is_no_object_is_refused(gateway: Gateway, body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        await body_of(request(body), gateway, Wanted)


async def test_a_long_body_is_not_read_to_its_end(gateway: Gateway) -> None:
    pieces = [b"x" * 1024] * (MAX_BODY_BYTES // 1024 + 1)
    with pytest.raises(BodyTooLarge):
        await object_of(request(*pieces), gateway)


async def test_a_client_that_leaves_is_no_mistake(gateway: Gateway) -> None:
    with pytest.raises(ClientGone):
        await object_of(request(b'{"name":', leaves=True), gateway)


def test_an_answer_is_json() -> None:
    answer = json_answer(Wanted(name="鍵"), 201)
    assert (answer.status_code, answer.media_type) == (201, "application/json")
    assert Wanted.model_validate_json(bytes(answer.body)) == Wanted(name="鍵")


@table(("query", "value"), [("", 5), ("n=1", 1), ("n=1000", 1000), ("n=007", 7), ("n=3&n=4", 4)])
def test_a_whole_number_of_the_query(query: str, value: int) -> None:
    assert whole_of(request(query=query), "n", 5, 1000) == value


@table(
    "text",
    [
        "", "0", "-1", "+1", "1001", "1.0", "1e3", "x", " 1", "1_0", "%D9%A3", "0x10", "9" * 30, "9" * 100_000,
        "0" * 100_000 + "1", "000000001" + "9" * 5000,
    ],
)  # fmt: skip
def test_what_is_none_or_out_of_bounds_is_refused_by_name_however_long_it_is(text: str) -> None:
    for most in (1000, 2**63 - 1):
        if most > 1000 and text == "1001":
            continue
        with pytest.raises(InvalidRequest, match=f"'n' must be a whole number from 1 to {most}"):
            whole_of(request(query=f"n={text}"), "n", 5, most)


def test_pages_are_bounded() -> None:
    assert paging(request()) == (None, PAGE)
    assert paging(request(query=f"after=x&limit={MAX_PAGE}")) == ("x", MAX_PAGE)
    with pytest.raises(InvalidRequest, match="'limit'"):
        paging(request(query=f"limit={MAX_PAGE + 1}"))
