"""One timer looks at every stream, whatever one of them does."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hayate.relay.ticker import Ticker
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
