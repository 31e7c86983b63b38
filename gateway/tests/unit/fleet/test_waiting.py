"""Waiting for a place: who is let in, who is turned away, who is told where it stands."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from hayate.errors import DeadlineUnmet, Overloaded
from hayate.fleet import waiting as module
from hayate.fleet.deployment import Deployment
from hayate.policy.waits import Waits
from tests.support.waiting import eventually
from tests.unit.fleet.made import QUICK, entered, spec, waiting

pytestmark = pytest.mark.anyio


def inside(deployment: Deployment) -> tuple[int, int]:
    """How many are in, and how many wait."""
    return deployment.gate.in_flight, deployment.gate.queued


async def test_places_are_given_waited_for_and_refused() -> None:
    qwen = Deployment(spec(max_in_flight=1, max_queued=1), QUICK)
    first = await entered(qwen)
    (second,) = await waiting(qwen)
    with pytest.raises(Overloaded) as full:
        await entered(qwen)
    assert (full.value.code, full.value.retry_after_s) == ("overloaded", 1.0)
    qwen.waiting.leave(first, 0)
    await second
    assert inside(qwen) == (1, 0)


async def test_who_holds_most_of_a_full_queue_is_turned_away_while_it_waits() -> None:
    qwen = Deployment(spec(max_in_flight=1, max_queued=2), QUICK)
    await entered(qwen, "batch")
    one, another = await waiting(qwen, qwen, key="batch")
    (bot,) = await waiting(qwen, key="bot")
    with pytest.raises(Overloaded, match="queue of 2 is full"):
        await another
    assert inside(qwen) == (1, 2)
    for task in (one, bot):
        task.cancel()
    await asyncio.gather(one, bot, return_exceptions=True)
    assert inside(qwen) == (1, 0)


async def test_who_waits_too_long_is_told_and_takes_no_place() -> None:
    qwen = Deployment(spec(max_in_flight=1, queue_timeout_s=0.02), QUICK)
    first = await entered(qwen)
    with pytest.raises(Overloaded, match="queue_timeout_s"):
        await entered(qwen)
    qwen.waiting.leave(first, 0)
    assert inside(qwen) == (0, 0)


async def test_who_leaves_the_queue_takes_no_place() -> None:
    qwen = Deployment(spec(max_in_flight=1), QUICK)
    held = await entered(qwen)
    first, second = await waiting(qwen, qwen)
    first.cancel()
    qwen.waiting.leave(held, 0)
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert inside(qwen) == (1, 0)


async def test_who_leaves_at_the_very_moment_of_being_let_in_gives_the_place_back() -> None:
    qwen = Deployment(spec(max_in_flight=1), QUICK)
    held = await entered(qwen)
    first, second = await waiting(qwen, qwen)
    qwen.waiting.leave(held, 0)  # lets the first in, who does not know yet
    first.cancel()
    place = await second
    with suppress(asyncio.CancelledError):
        await first
    qwen.waiting.leave(place, 0)
    assert inside(qwen) == (0, 0)


@pytest.mark.parametrize("seed", range(20))
async def test_no_place_is_lost_whatever_the_order_of_coming_and_going(seed: int) -> None:
    qwen = Deployment(spec(max_in_flight=3, max_queued=5, queue_timeout_s=0.03), QUICK)

    async def call(number: int) -> None:
        await asyncio.sleep((number * 7 + seed) % 5 / 500)
        with suppress(Overloaded):
            place = await entered(qwen, f"key-{number % 4}")
            try:
                await asyncio.sleep((number * 3 + seed) % 4 / 200)
            finally:
                qwen.waiting.leave(place, number)

    calls = [asyncio.create_task(call(number)) for number in range(30)]
    for number, task in enumerate(calls):
        if number % 3 == seed % 3:
            asyncio.get_running_loop().call_later((number + seed) % 7 / 300, task.cancel)
    await asyncio.gather(*calls, return_exceptions=True)
    assert inside(qwen) == (0, 0)
    assert qwen.gate.lanes.active == 0


async def test_a_deadline_that_can_not_be_met_is_refused_at_once() -> None:
    qwen = Deployment(spec(max_in_flight=1), QUICK)
    held = await entered(qwen)
    qwen.gate.service_s = 10.0
    with pytest.raises(DeadlineUnmet, match=r"about 10\.0 s") as refused:
        await entered(qwen, waits=Waits(deadline_s=4.0))
    assert (refused.value.status, refused.value.code, refused.value.retry_after_s) == (503, "deadline_unmet", 6.0)
    (patient,) = await waiting(qwen, waits=Waits(deadline_s=20.0))
    assert inside(qwen) == (1, 1)
    qwen.waiting.leave(held, 0)
    assert await patient


@pytest.mark.parametrize("deadline_s", [0.02, -1.0], ids=["soon", "over"])
async def test_a_deadline_ends_the_wait(deadline_s: float) -> None:
    qwen = Deployment(spec(max_in_flight=1), QUICK)
    await entered(qwen)
    with pytest.raises(DeadlineUnmet, match="before this call's deadline"):
        await entered(qwen, waits=Waits(deadline_s=deadline_s))
    assert inside(qwen) == (1, 0)


async def test_a_deadline_makes_no_difference_where_there_is_room() -> None:
    qwen = Deployment(spec(max_in_flight=1), QUICK)
    qwen.gate.service_s = 10.0
    assert await entered(qwen, waits=Waits(deadline_s=0.001))


async def test_who_asks_is_told_where_it_stands_at_once_and_when_that_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TELL_S", 0.01)
    qwen = Deployment(spec(max_in_flight=1), QUICK)
    held = await entered(qwen, "batch")
    told: list[tuple[int, float | None]] = []
    (first,) = await waiting(qwen, key="batch")
    (asks,) = await waiting(qwen, key="batch", waits=Waits(tell=lambda place, wait_s: told.append((place, wait_s))))
    assert told == [(2, None)]
    qwen.gate.service_s = 2.0
    await eventually(lambda: len(told) == 2)
    assert told[1] == (2, 4.0)
    first.cancel()
    await eventually(lambda: len(told) == 3)
    assert told[2] == (1, 2.0)
    qwen.waiting.leave(held, 0)
    qwen.waiting.leave(await asks, 0)
    assert len(told) == 3
