"""What happens around every call, whatever its path does: who it is, what it may, how a failure is told, what is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from hayate.access.authenticator import Authenticator
from hayate.access.grants import Grant
from hayate.access.guards import callers
from hayate.access.principals import Principal
from hayate.access.terms import Terms
from hayate.api.call_endpoint import CallEndpoint, Handle
from hayate.api.gateway import CallSettings, Gateway
from hayate.downstream.client import Client
from hayate.downstream.stream import ClientGone
from hayate.errors import InvalidRequest, Overloaded
from hayate.relay.ticker import Ticker
from hayate.settings import RateLimits
from hayate.store.store import Store
from hayate.telemetry.record import CallRecord
from hayate.upstream_errors import UpstreamBroke
from hayate.wire.error_bodies import ANTHROPIC, GENERATE, OPENAI, Dialect
from hayate.wire.http1 import header
from hayate.wire.sse import PING
from tests.support.crowd import crowd
from tests.unit.api.bare import KEY, Observer, bare_gateway
from tests.unit.api.written import Written

NO_LIMITS = RateLimits()

pytestmark = pytest.mark.anyio


class House:
    """A gateway without engines: what is around a call is all there is."""

    def __init__(self, ticker: Ticker, store: Store) -> None:
        self.seen = Observer()
        self.gateway = bare_gateway(ticker, store, self.seen)

    async def serve(self, handle: Handle, stream: Written | None = None, dialect: Dialect = OPENAI) -> Written:
        """One call, from its head to its record."""
        stream = stream or Written()
        await CallEndpoint("chat", handle, callers, dialect).serve(self.gateway, stream)
        return stream

    @property
    def record(self) -> CallRecord:
        """The only call's."""
        (record,) = self.seen.records
        return record


@pytest.fixture
async def house(store: Store) -> AsyncIterator[House]:
    ticker = Ticker()
    yield House(ticker, store)
    ticker.close()


async def answers(_: Gateway, client: Client, __: CallRecord, ___: Grant) -> None:
    await client.respond(200, [], b"ok")


async def never(_: Gateway, __: Client, ___: CallRecord, ____: Grant) -> None:
    raise AssertionError("this call must not be handled")


def raising(error: BaseException, *, after: Callable[[Client], Awaitable[None]] | None = None) -> Handle:
    """Fails, at once or when something of the answer has been written."""

    async def handle(_: Gateway, client: Client, __: CallRecord, ___: Grant) -> None:
        with client:
            if after is not None:
                await after(client)
            raise error

    return handle


async def some_events(client: Client) -> None:
    await client.start_stream()
    client.write(b"data: 1\n\n")


async def some_sound(client: Client) -> None:
    await client.start_stream(200, [(b"content-type", b"audio/mpeg")])
    client.write(b"\x00\x01")


# What is recorded.


async def test_a_call_that_is_answered_is_recorded_once_with_whose_it_was_and_how_it_ended(house: House) -> None:
    stream = await house.serve(answers)
    assert (stream.status, stream.body) == (200, b"ok")
    record = house.record
    assert (record.endpoint, record.key, record.status, record.error) == ("chat", "main", 200, None)
    assert record.ended >= record.started > 0
    assert record.ended_at > 1_700_000_000


async def test_a_status_that_the_handler_set_is_kept(house: House) -> None:
    async def nothing_new(_: Gateway, client: Client, record: CallRecord, __: Grant) -> None:
        record.status = 204
        await client.respond(204, [], b"")

    await house.serve(nothing_new)
    assert house.record.status == 204


async def test_a_fault_of_ours_is_recorded_as_one_and_is_not_swallowed(house: House) -> None:
    with pytest.raises(ZeroDivisionError):
        await house.serve(raising(ZeroDivisionError()))
    assert (house.record.status, house.record.error) == (500, "server_error")


# Its name.


async def test_a_call_gets_a_name_that_the_answer_the_log_and_the_engine_share(house: House) -> None:
    names = set()
    for _ in range(3):
        stream = await house.serve(answers)
        record = house.seen.records[-1]
        assert header(stream.answer, b"x-request-id") == stream.answer_id == record.upstream_id
        assert record.request_id.encode() == stream.answer_id
        names.add(record.request_id)
    assert len(names) == 3


async def test_the_callers_own_name_for_it_is_kept_where_it_is_usable(house: House) -> None:
    stream = await house.serve(answers, Written(x_request_id="mine 7"))
    assert header(stream.answer, b"x-request-id") == b"mine 7"
    assert (house.record.request_id, house.record.upstream_id) == ("mine 7", b"mine 7")
    other = await house.serve(answers, Written(x_request_id="line\tbreak"))
    assert header(other.answer, b"x-request-id") not in (None, b"line\tbreak")


async def test_two_calls_of_one_name_at_once_are_two_to_the_engine_and_the_name_is_free_afterwards(
    house: House,
) -> None:
    async def calls_again(gateway: Gateway, client: Client, record: CallRecord, _: Grant) -> None:
        await house.serve(answers, Written(x_request_id="twice"))
        await client.respond(200, [], b"")

    await house.serve(calls_again, Written(x_request_id="twice"))
    with pytest.raises(ZeroDivisionError):
        await house.serve(raising(ZeroDivisionError()), Written(x_request_id="twice"))
    await house.serve(answers, Written(x_request_id="twice"))
    inner, outer, failed, last = house.seen.records
    assert {each.request_id for each in house.seen.records} == {"twice"}
    assert inner.upstream_id.startswith(b"twice-")
    assert outer.upstream_id == failed.upstream_id == last.upstream_id == b"twice"


# Who it is, and what it may.


@pytest.mark.parametrize(("dialect", "kind"), [(OPENAI, "invalid_request_error"), (ANTHROPIC, "authentication_error")])
async def test_who_has_no_key_is_told_in_the_paths_dialect_and_nothing_is_handled(
    house: House, dialect: Dialect, kind: str
) -> None:
    for key in ("", "sk-wrong-0123456789"):
        stream = await house.serve(never, Written(key=key, accept_language="ja"), dialect)
        assert (stream.status, stream.json["error"]["type"]) == (401, kind)
        assert "APIキーが正しくありません" in stream.json["error"]["message"]
        assert header(stream.answer, b"www-authenticate") == b"Bearer"
        record = house.seen.records[-1]
        assert (record.key, record.status, record.error) == ("-", 401, "invalid_api_key")


async def test_who_is_over_its_limit_is_refused_unhandled_and_told_when_to_come_back(house: House) -> None:
    house.gateway.settings = CallSettings(limits=RateLimits(requests_per_minute=1))
    assert (await house.serve(answers)).status == 200
    second = await house.serve(never)
    assert (second.status, second.json["error"]["code"]) == (429, "rate_limit_exceeded")
    assert 1 <= int(header(second.answer, b"retry-after") or b"") <= 61
    assert header(second.answer, b"x-ratelimit-limit-requests") == b"1"
    assert header(second.answer, b"x-ratelimit-remaining-requests") == b"0"
    assert (house.seen.records[-1].key, house.seen.records[-1].status) == ("main", 429)


async def test_a_wrong_key_uses_up_nobodys_limit(house: House) -> None:
    house.gateway.settings = CallSettings(limits=RateLimits(requests_per_minute=1))
    for _ in range(5):
        await house.serve(never, Written(key="sk-wrong-0123456789"))
    assert (await house.serve(answers)).status == 200


TWO, FIVE = RateLimits(requests_per_minute=2), RateLimits(requests_per_minute=5)


@pytest.mark.parametrize(
    ("everybodys", "own", "may"),
    [(TWO, FIVE, 5), (FIVE, TWO, 2), (NO_LIMITS, TWO, 2), (TWO, NO_LIMITS, 2), (NO_LIMITS, NO_LIMITS, 9)],
)
async def test_a_principals_own_limits_come_before_everybodys_wider_or_narrower(
    house: House, everybodys: RateLimits, own: RateLimits, may: int
) -> None:
    house.gateway.settings = CallSettings(limits=everybodys)
    house.gateway.auth = Authenticator({KEY: Principal("p", "project", terms=Terms(limits=own))})
    statuses = [(await house.serve(answers)).status for _ in range(9)]
    assert statuses == [200] * may + [429] * (9 - may)


async def test_without_limits_an_answer_speaks_of_none(house: House) -> None:
    assert not [name for name, _ in (await house.serve(answers)).answer if name.startswith(b"x-ratelimit")]


# How a failure is told.


async def test_before_anything_is_written_a_failure_is_a_status(house: House) -> None:
    stream = await house.serve(raising(InvalidRequest("'n' is too large.", "'n' が大きすぎます。", param="n")))
    assert (stream.status, stream.json["error"]["param"], stream.ended) == (400, "n", True)
    assert (house.record.status, house.record.error) == (400, "invalid_request_error")


async def test_the_status_recorded_is_the_one_that_was_sent(house: House) -> None:
    stream = await house.serve(raising(Overloaded("full", retry_after_s=5.0)), dialect=ANTHROPIC)
    assert stream.status == house.record.status == 529
    assert header(stream.answer, b"retry-after") == b"5"


@pytest.mark.parametrize(("dialect", "begins"), [(OPENAI, b"data: {"), (GENERATE, b"event: error\ndata: {")])
async def test_in_a_stream_of_events_a_failure_is_its_last_event(house: House, dialect: Dialect, begins: bytes) -> None:
    stream = await house.serve(raising(UpstreamBroke("cut"), after=some_events), dialect=dialect)
    first, last, rest = stream.body.split(b"\n\n")
    assert (stream.status, first, rest, stream.ended, stream.aborted) == (200, b"data: 1", b"", True, False)
    assert last.startswith(begins)
    assert (house.record.status, house.record.error) == (502, "upstream_error"), "what went wrong, not what was sent"


async def test_an_answer_that_can_not_say_that_it_broke_is_cut(house: House) -> None:
    stream = await house.serve(raising(UpstreamBroke("cut"), after=some_sound))
    assert (stream.body, stream.ended, stream.aborted) == (b"\x00\x01", False, True)
    assert house.record.status == 502


async def test_a_ping_that_is_just_beginning_the_answer_makes_a_failure_an_event(house: House) -> None:
    async def pinged(client: Client) -> None:
        client.expect_stream()
        client.tick(house.gateway.relay.now() + 60)  # begins the answer in a task, which has not run yet
        assert not client.started

    stream = await house.serve(raising(Overloaded("full"), after=pinged))
    assert (stream.status, stream.ended) == (200, True)
    assert stream.body.startswith(PING)
    assert b'"overloaded"' in stream.body


# Who leaves, and what is broken off.


async def test_a_client_that_left_before_its_request_was_whole_gets_nothing_and_is_recorded(house: House) -> None:
    stream = await house.serve(raising(ClientGone()))
    assert (stream.status, house.record.status, house.record.error) == (0, 499, None)


@pytest.mark.parametrize(("has_all", "recorded"), [(False, 499), (True, 200)])
async def test_a_client_that_leaves_ends_its_call_quietly(house: House, has_all: bool, recorded: int) -> None:
    stream = Written()

    async def left(_: Gateway, client: Client, __: CallRecord, ___: Grant) -> None:
        with client:
            await some_events(client)
            stream.leave()
            client.answered = has_all
            await asyncio.Event().wait()

    await house.serve(left, stream)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
    assert (house.record.status, house.record.error) == (recorded, None)
    assert (stream.body, stream.ended) == (b"data: 1\n\n", False)


async def broken_off(house: House, before: Callable[[Client], Awaitable[None]] | None) -> Written:
    """A call that is cancelled although its client is there, as the end of a drain does."""
    stream, waits = Written(), asyncio.Event()

    async def handle(_: Gateway, client: Client, __: CallRecord, ___: Grant) -> None:
        with client:
            if before is not None:
                await before(client)
            waits.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(house.serve(handle, stream))
    await waits.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (house.record.status, house.record.error) == (503, "shutting_down")
    return stream


async def test_the_end_of_a_drain_tells_a_stream_that_still_runs(house: House) -> None:
    stream = await broken_off(house, some_events)
    assert stream.body.startswith(b"data: 1\n\n")
    assert b'"shutting_down"' in stream.body


async def test_the_end_of_a_drain_puts_nothing_into_what_is_no_stream_of_events(house: House) -> None:
    assert (await broken_off(house, some_sound)).body == b"\x00\x01"


async def test_the_end_of_a_drain_leaves_what_has_not_begun_to_the_server(house: House) -> None:
    assert (await broken_off(house, None)).status == 0


# Where many streams are open.


async def test_calls_that_come_together_begin_in_turns(house: House) -> None:
    crowd(house.gateway.ticker)
    begun: list[int] = []

    async def handle(_: Gateway, client: Client, __: CallRecord, ___: Grant) -> None:
        begun.append(turns)
        await client.respond(200, [], b"ok")

    turns, serving = 0, [asyncio.ensure_future(house.serve(handle)) for _ in range(3)]
    while len(begun) < 3:
        turns += 1
        await asyncio.sleep(0)
    await asyncio.gather(*serving)
    assert begun == [begun[0], begun[0] + 1, begun[0] + 2]
    assert [each.status for each in house.seen.records] == [200, 200, 200]


async def test_a_call_that_is_broken_off_before_its_turn_is_recorded(house: House) -> None:
    crowd(house.gateway.ticker)
    task = asyncio.ensure_future(house.serve(never))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (house.record.status, house.record.error) == (503, "shutting_down")


# Through another server.


async def test_on_any_asgi_server_it_is_the_same_call(house: House) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "query_string": b"",
        "headers": Written().headers,
        "state": {"gateway": house.gateway},
    }
    await CallEndpoint("chat", answers, callers)(scope, receive, send)
    assert [each["type"] for each in sent] == ["http.response.start", "http.response.body"]
    assert (sent[0]["status"], sent[1]["body"], house.record.status) == (200, b"ok", 200)
