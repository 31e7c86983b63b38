"""Where many streams are open, calls begin one in a turn of the event loop; those that have begun go first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from hayate.backends.openai_compat import OpenAICompatible
from hayate.fleet.fleet import Fleet
from hayate.fleet.spec import DeploymentSpec
from hayate.relay.call import Call
from hayate.relay.relay import Relay
from hayate.relay.ticker import Ticker
from hayate.relay.turns import MANY, SHARE, Turns
from hayate.telemetry.record import CallRecord
from hayate.wire.paths import CHAT
from tests.support.crowd import crowd
from tests.support.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio


class LoopTurns:
    """Counts the turns of the event loop."""

    def __init__(self) -> None:
        self.count = 0
        self._handle = asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self.count += 1
        self._handle = asyncio.get_running_loop().call_soon(self._turn)

    def stop(self) -> None:
        self._handle.cancel()


@pytest.fixture
async def loop_turns() -> AsyncIterator[LoopTurns]:
    found = LoopTurns()
    yield found
    found.stop()


async def test_they_are_taken_where_many_streams_are_open() -> None:
    streams: list[None] = [None] * (MANY - 1)
    turns = Turns(streams)
    assert not turns.are_taken
    streams.append(None)
    assert turns.are_taken


async def test_each_is_another_turn_of_the_loop(loop_turns: LoopTurns) -> None:
    turns, at = Turns([]), list[tuple[int, int]]()

    async def begin(number: int) -> None:
        await turns.take()
        at.append((number, loop_turns.count))

    await asyncio.gather(*map(begin, range(2 * SHARE)))
    first = at[0][1]
    assert at == [(number, first + number) for number in range(2 * SHARE)]
    await begin(9)  # nobody waits any more: the next one begins anew
    assert at[-1][1] >= first + 2 * SHARE


async def test_the_more_wait_the_more_share_a_turn(loop_turns: LoopTurns) -> None:
    turns, waiting = Turns([]), 1000
    began = loop_turns.count
    order: list[int] = []

    async def begin(number: int) -> None:
        await turns.take()
        order.append(number)

    await asyncio.gather(*map(begin, range(waiting)))
    assert order == list(range(waiting))
    assert loop_turns.count - began < waiting / 20


async def test_who_has_begun_goes_before_who_has_not() -> None:
    turns, order = Turns([]), list[str]()

    async def take(name: str, *, has_begun: bool) -> None:
        await turns.take(has_begun=has_begun)
        order.append(name)

    asked = ("first", False), ("new", False), ("newer", False), ("half-way", True), ("half-way too", True)
    await asyncio.gather(*(take(name, has_begun=has_begun) for name, has_begun in asked))
    assert order == ["first", "half-way", "half-way too", "new", "newer"]


async def test_who_leaves_takes_nobodys_turn(loop_turns: LoopTurns) -> None:
    turns = Turns([])
    *gone, stays = (asyncio.ensure_future(turns.take()) for _ in range(100))
    await asyncio.sleep(0)
    for each in gone:
        each.cancel()
    began = loop_turns.count
    await stays
    assert loop_turns.count - began < 10
    assert all(isinstance(each, asyncio.CancelledError) for each in await asyncio.gather(*gone, return_exceptions=True))


async def test_when_all_have_left_the_next_one_gets_its_turn() -> None:
    turns = Turns([])
    gone = asyncio.ensure_future(turns.take())
    await asyncio.sleep(0)
    gone.cancel()
    await turns.take()


# Of a relay.


@pytest.fixture
async def crowded(one: FakeEngine) -> AsyncIterator[Relay]:
    """A relay beside many open streams; afterwards every place must have been given back."""
    ticker = Ticker()
    crowd(ticker)
    relay = Relay(Fleet([DeploymentSpec("a", OpenAICompatible(), "m", (one.url,))], {}), ticker)
    yield relay
    (deployment,) = relay.fleet.deployments.values()
    assert (deployment.gate.in_flight, deployment.gate.queued, deployment.replicas[0].in_flight) == (0, 0, 0)
    ticker.close()
    relay.fleet.close()


def call() -> Call:
    fields = {"messages": [{"role": "user", "content": "x"}]}
    return Call(CHAT, None, fields, False, record=CallRecord("id-1", "chat", 1.0))


async def test_calls_of_one_turn_take_their_places_in_turns_of_their_own(crowded: Relay, loop_turns: LoopTurns) -> None:
    (deployment,) = crowded.fleet.deployments.values()
    places: dict[int, int] = {}
    """How many had taken one, by turn of the loop."""

    async def serve() -> None:
        with await crowded.open(call()) as answer:
            await answer.whole()

    serving = asyncio.gather(*(serve() for _ in range(4)))
    while deployment.gate.in_flight < 4 and not serving.done():
        await asyncio.sleep(0)
        places[deployment.gate.in_flight] = loop_turns.count
    assert list(places) == [0, 1, 2, 3, 4]
    await serving


async def test_who_leaves_before_its_turn_has_taken_no_place(crowded: Relay, one: FakeEngine) -> None:
    leaving = asyncio.ensure_future(crowded.open(call()))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert one.requests == []
