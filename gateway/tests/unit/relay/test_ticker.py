"""One timer looks at every stream, whatever one of them does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hayate.relay.ticker import AT_ONCE, Ticker
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio


class Member:
    def __init__(self, fault: Exception | None = None) -> None:
        self.looks = 0
        self.fault = fault

    def tick(self, now: float) -> None:
        self.looks += 1
        if self.fault is not None:
            raise self.fault


async def test_every_member_is_looked_at_again_and_again() -> None:
    ticker, members = Ticker(0.01), [Member(), Member()]
    for member in members:
        ticker.add(member)
    await eventually(lambda: all(member.looks >= 3 for member in members))
    ticker.close()


async def test_a_member_may_leave_and_an_idle_ticker_starts_again() -> None:
    ticker, first, second = Ticker(0.01), Member(), Member()
    ticker.add(first)
    ticker.discard(first)
    ticker.discard(first)
    await asyncio.sleep(0.03)
    assert first.looks == 0
    ticker.add(second)
    await eventually(lambda: second.looks >= 2)
    ticker.close()


async def test_its_members_can_be_looked_through_while_they_come_and_go() -> None:
    ticker, members = Ticker(), [Member(), Member()]
    for member in members:
        ticker.add(member)
    for each in ticker:
        ticker.discard(each)
    assert list(ticker) == []
    ticker.close()


async def test_a_member_that_fails_is_told_of_and_the_others_are_still_looked_at() -> None:
    told: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: told.append(context))
    ticker, bad, good = Ticker(0.01), Member(RuntimeError("gone")), Member()
    try:
        ticker.add(bad)
        ticker.add(good)
        await eventually(lambda: good.looks >= 3)
    finally:
        ticker.close()
        loop.set_exception_handler(before)
    assert bad.looks == 1
    assert [str(context["exception"]) for context in told] == ["gone"]


async def test_a_closed_ticker_looks_no_more() -> None:
    ticker, member = Ticker(0.01), Member()
    ticker.add(member)
    ticker.close()
    await asyncio.sleep(0.03)
    assert member.looks == 0


async def test_a_turn_has_few_looks_and_everybody_has_one_in_time() -> None:
    turns: list[list[float]] = []
    ticker = Ticker(0.2)

    class Told(Member):
        def tick(self, now: float) -> None:
            super().tick(now)
            if not turns or turns[-1][0] != now:
                turns.append([])
            turns[-1].append(now)

    members = [Told() for _ in range(20 * AT_ONCE)]
    for member in members:
        ticker.add(member)
    await eventually(lambda: min(member.looks for member in members) >= 3)
    ticker.close()
    assert max(map(len, turns)) == AT_ONCE
    assert max(member.looks for member in members) <= 4  # one after another, not some again and again


async def test_members_may_leave_while_others_are_looked_at() -> None:
    ticker = Ticker(0.01)

    class Last(Member):
        def tick(self, now: float) -> None:
            super().tick(now)
            for each in members:
                ticker.discard(each)

    members = [Last() for _ in range(3)]
    for member in members:
        ticker.add(member)
    await eventually(lambda: any(member.looks for member in members))
    await asyncio.sleep(0.03)
    assert [member.looks for member in members] == [1, 0, 0]
