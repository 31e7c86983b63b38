"""One call at a time goes on with a conversation."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import ConversationLocked
from hayate.history.locks import Locks
from tests.support.waiting import LAST_RESORT_S, NEVER_S

pytestmark = pytest.mark.anyio


async def test_the_others_wait_in_their_order() -> None:
    locks, order = Locks(), list[int]()
    assert locks.try_take("a")
    assert not locks.try_take("a")
    assert locks.try_take("b")

    async def call(n: int) -> None:
        await locks.take("a", NEVER_S)
        order.append(n)
        await asyncio.sleep(0)
        locks.give_back("a")

    calls = [asyncio.create_task(call(n)) for n in range(5)]
    await asyncio.sleep(0)
    assert order == []
    locks.give_back("a")
    await asyncio.wait_for(asyncio.gather(*calls), LAST_RESORT_S)
    assert order == [0, 1, 2, 3, 4]
    locks.give_back("b")
    assert locks._waiting == {}, "what nobody holds takes no memory"


async def test_who_does_not_want_to_wait_is_told_at_once() -> None:
    locks = Locks()
    locks.try_take("a")
    with pytest.raises(ConversationLocked) as told:
        await locks.take("a", 0)
    assert (told.value.status, told.value.code) == (409, "conversation_locked")
    await locks.take("b", 0)


async def test_a_wait_has_its_end() -> None:
    locks = Locks()
    locks.try_take("a")
    with pytest.raises(ConversationLocked, match=r"history\.wait_s"):
        await locks.take("a", 0.01)
    locks.give_back("a")
    assert locks._waiting == {}


async def test_who_leaves_is_out_at_once_even_when_its_turn_has_just_come() -> None:
    locks = Locks()
    locks.try_take("a")
    leaver, next_one = (asyncio.create_task(locks.take("a", NEVER_S)) for _ in range(2))
    await asyncio.sleep(0)
    locks.give_back("a")  # it is the first one's turn now, who does not know it yet
    leaver.cancel()
    await asyncio.wait_for(next_one, LAST_RESORT_S)
    assert leaver.cancelled()
    locks.give_back("a")
    assert locks._waiting == {}


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["take", "leave", "give"])), max_size=40))
async def test_nobody_has_what_another_has_and_nothing_is_lost(steps: list[tuple[int, str]]) -> None:
    locks, holding = Locks(), dict[int, asyncio.Task[None] | None]()
    waiting: dict[int, list[asyncio.Task[None]]] = {0: [], 1: [], 2: []}
    for key, step in steps:
        if step == "take":
            waiting[key].append(asyncio.create_task(locks.take(str(key), NEVER_S)))
        elif step == "leave" and waiting[key]:
            waiting[key].pop().cancel()
        elif step == "give" and holding.get(key) is not None:
            holding[key] = None
            locks.give_back(str(key))
        for _ in range(3):
            await asyncio.sleep(0)
        for each in [*waiting[key]]:
            if each.done():
                waiting[key].remove(each)
                if not each.cancelled():
                    assert holding.get(key) is None
                    holding[key] = each
        assert holding.get(key) is not None or not waiting[key]
    for key, tasks in waiting.items():
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if holding.get(key) is not None:
            locks.give_back(str(key))
    assert locks._waiting == {}
