"""What a call wants of the history, as its fields, its headers, its key and the configuration say."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from hayate.access.grants import Grant
from hayate.access.principals import OWNER, Principal
from hayate.access.terms import Defaults, Terms
from hayate.api.gateway import CallSettings, Gateway
from hayate.api.remembering import recall, refuse_conversation, remember, remember_response
from hayate.downstream.client import Client
from hayate.downstream.remembering import RememberingClient
from hayate.errors import InvalidRequest, NotAllowed, NotSupported, UnknownConversation, UnknownResponse
from hayate.history.dialects import CHATS
from hayate.relay.ticker import Ticker
from hayate.settings import History, RateLimits
from hayate.store.store import Store
from hayate.telemetry.record import CallRecord
from hayate.wire.paths import CHAT
from tests.unit.api.bare import bare_gateway
from tests.unit.api.written import Written
from tests.unit.fleet.made import spec

pytestmark = pytest.mark.anyio

ID, RESPONSE = "conv_" + "a" * 32, "resp_" + "a" * 32


@pytest.fixture
async def gateway(store: Store) -> AsyncIterator[Gateway]:
    ticker = Ticker()
    yield bare_gateway(ticker, store)
    ticker.close()


def grant(gateway: Gateway, terms: Terms | None = None, limits: RateLimits | None = None) -> Grant:
    principal = OWNER if terms is None else Principal("k", "p", terms=terms)
    return gateway.grants.grant(principal, limits or RateLimits())


def asked(
    gateway: Gateway, fields: dict[str, Any], how: Any = None, terms: Terms | None = None, **headers: str
) -> RememberingClient | None:
    client = Client(Written(**headers), gateway.ticker, 1.0)
    record = CallRecord("r", "chat", time.monotonic())
    if how is None:
        return remember(CHATS, gateway, client, record, grant(gateway, terms), fields)
    found: RememberingClient | None = how(gateway, client, record, grant(gateway, terms), fields)
    return found


def without_history(gateway: Gateway) -> None:
    gateway.settings = CallSettings(history=History(enabled=False))


async def test_a_conversation_is_named_in_the_body_or_by_a_header(gateway: Gateway) -> None:
    fields: dict[str, Any] = {"conversation": ID, "messages": []}
    found = asked(gateway, fields)
    assert found is not None
    assert (found._turn.id, found._turn.wanted.project) == (ID, "default")
    assert "conversation" not in fields, "engines know nothing of it"
    by_header = asked(gateway, {"messages": []}, x_conversation_id=ID)
    assert by_header is not None
    assert by_header._turn.id == ID
    assert asked(gateway, {"messages": []}) is None
    assert asked(gateway, {"conversation": None}) is None


@pytest.mark.parametrize("how", [None, remember_response])
async def test_who_may_not_and_what_can_not(gateway: Gateway, how: Any) -> None:
    with pytest.raises(NotAllowed):
        asked(gateway, {"conversation": "new"}, how, Terms(areas=("calls",)))
    with pytest.raises(UnknownConversation):
        asked(gateway, {"conversation": "nothing"}, how)
    without_history(gateway)
    with pytest.raises(NotSupported):
        asked(gateway, {"conversation": "new"}, how)
    with pytest.raises(NotSupported):
        asked(gateway, {}, how, x_conversation_id="new")


@pytest.mark.parametrize(("n", "goes"), [(None, True), (1, True), (2, False), ("2", False)])
async def test_a_conversation_goes_on_with_one_answer(gateway: Gateway, n: Any, goes: bool) -> None:
    fields = {"conversation": "new", "n": n}
    if goes:
        assert asked(gateway, fields) is not None
    else:
        with pytest.raises(InvalidRequest) as told:
            asked(gateway, fields)
        assert told.value.param == "n"


NO_HISTORY = Terms(areas=("calls",))
KEPT = "kept"
CASES: dict[str, tuple[dict[str, Any], Terms | None, bool, Any]] = {
    "nothing said": ({}, None, True, KEPT),
    "asked for": ({"store": True}, None, True, KEPT),
    "not wanted": ({"store": False}, None, True, None),
    "null": ({"store": None}, None, True, KEPT),
    "the key says no": ({}, Terms(defaults=Defaults(store=False)), True, None),
    "the key says no, the call yes": ({"store": True}, Terms(defaults=Defaults(store=False)), True, KEPT),
    "not for this key": ({}, NO_HISTORY, True, None),
    "not for this key, asked for": ({"store": True}, NO_HISTORY, True, NotAllowed),
    "turned off": ({}, None, False, None),
    "turned off, asked for": ({"store": True}, None, False, NotSupported),
    "turned off, not wanted": ({"store": False}, None, False, None),
    "of no kind": ({"store": "yes"}, None, True, InvalidRequest),
}


@pytest.mark.parametrize("case", CASES)
async def test_whether_a_response_is_kept(gateway: Gateway, case: str) -> None:
    fields, terms, enabled, comes_of_it = CASES[case]
    fields = dict(fields)
    if not enabled:
        without_history(gateway)
    if isinstance(comes_of_it, type):
        with pytest.raises(comes_of_it):
            asked(gateway, fields, remember_response, terms)
        return
    found = asked(gateway, fields, remember_response, terms)
    assert fields["store"] is False, "engines keep nothing"
    if comes_of_it is None:
        assert found is None
    else:
        assert found is not None
        wanted = found._turn.wanted
        assert (wanted.keeps, wanted.state) == (True, False)
        assert (wanted.response_id or "").startswith("resp_")
        assert wanted.must is case.endswith(("asked for", "yes"))


async def test_the_default_is_the_configurations(gateway: Gateway) -> None:
    gateway.settings = replace(gateway.settings, history=History(responses_store_default=False))
    assert asked(gateway, {}, remember_response) is None
    assert asked(gateway, {}, remember_response, Terms(defaults=Defaults(store=True))) is not None


async def test_what_a_response_goes_on_from(gateway: Gateway) -> None:
    fields: dict[str, Any] = {"previous_response_id": RESPONSE, "store": False, "truncation": "disabled"}
    found = asked(gateway, fields, remember_response)
    assert found is not None
    wanted = found._turn.wanted
    assert (wanted.previous, wanted.keeps, wanted.must, wanted.truncates) == (RESPONSE, False, True, False)
    assert fields == {"store": False, "truncation": "disabled"}
    in_one = asked(gateway, {"conversation": {"id": ID, "truncation": "disabled"}, "store": False}, remember_response)
    assert in_one is not None
    wanted = in_one._turn.wanted
    assert (wanted.response_id, wanted.keeps, wanted.truncates) == (None, True, False), (
        "the turn is kept, no response is"
    )


@pytest.mark.parametrize(
    ("fields", "error", "param"),
    [
        ({"previous_response_id": RESPONSE, "conversation": "new"}, InvalidRequest, "previous_response_id"),
        ({"previous_response_id": 7}, InvalidRequest, "previous_response_id"),
        ({"previous_response_id": "x"}, UnknownResponse, "previous_response_id"),
        ({"previous_response_id": RESPONSE, "truncation": "some"}, InvalidRequest, "truncation"),
    ],
)
async def test_what_can_be_no_response_to_go_on_from(
    gateway: Gateway, fields: dict[str, Any], error: Any, param: str
) -> None:
    with pytest.raises(error) as told:
        asked(gateway, fields, remember_response)
    assert told.value.param == param


async def test_other_paths_go_on_with_none(gateway: Gateway) -> None:
    assert asked(gateway, {"input": "x", "conversation": None}, refuse_conversation) is None
    with pytest.raises(InvalidRequest) as told:
        asked(gateway, {"conversation": "new"}, refuse_conversation)
    assert told.value.param == "conversation"
    with pytest.raises(InvalidRequest):
        asked(gateway, {}, refuse_conversation, x_conversation_id=ID)


async def test_what_is_sent_is_measured_where_that_counts_and_begins_with_the_keys_words(store: Store) -> None:
    ticker = Ticker()
    gateway = bare_gateway(ticker, store, specs=[spec("one"), spec("two")])
    terms = Terms(defaults=Defaults(system="be brief"))
    message = {"role": "user", "content": "x" * 100}
    for limits, size in ((RateLimits(), 7), (RateLimits(tokens_per_minute=10**6), 200)):
        remembering = asked(gateway, {"conversation": "new"}, None, terms)
        assert remembering is not None
        fields: dict[str, Any] = {"messages": [message], "model": "one"}
        found = await recall(gateway, remembering, grant(gateway, terms, limits), CHAT, fields, 7)
        assert fields["messages"] == [{"role": "system", "content": "be brief"}, message]
        assert found == 7 if size == 7 else found > 150
        remembering._turn.close()
    ticker.close()
