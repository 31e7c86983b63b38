"""The store as the gateway has it: changes that are kept, reading off the loop, and what happens when it is gone."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing

import pytest
from sqlalchemy import Connection, select, text

from hayate.errors import HistoryUnavailable, InvalidRequest, StoreGone
from hayate.settings import Keeping
from hayate.store import store as module
from hayate.store.schema import names
from hayate.store.store import Store
from tests.support.waiting import LAST_RESORT_S, eventually

pytestmark = pytest.mark.anyio


async def test_a_change_is_kept_when_it_is_told_so(store: Store) -> None:
    await store.change(lambda connection: connection.execute(names.insert().values(name="fast")))
    assert await store.read(lambda connection: connection.execute(select(names.c.name)).scalars().all()) == ["fast"]


async def test_what_is_wrong_with_a_change_reaches_whoever_wants_it(store: Store) -> None:
    def change(_: object) -> None:
        raise InvalidRequest("no")

    with pytest.raises(InvalidRequest):
        await store.change(change)


async def test_a_store_that_is_held_by_another_program_is_gone_for_who_wants_a_change(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHANGE_S", 0.05)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreGone):
            await store.change(lambda connection: connection.execute(names.insert().values(name="late")))


async def test_what_can_not_be_read_is_gone(store: Store) -> None:
    with pytest.raises(StoreGone):
        await store.read(lambda connection: connection.execute(text("SELECT * FROM nothing")))


async def test_a_reload_changes_how_much_is_kept(store: Store) -> None:
    store.configure(Keeping(calls_days=7, max_waiting_calls=11))
    assert (store.housekeeping.retention.days, store.writer.max_rows) == (7, 11)


async def test_what_is_being_made_when_the_time_is_over_is_told_as_made(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHANGE_S", 0.01)
    begun, goes_on = threading.Event(), threading.Event()

    def change(connection: Connection) -> str:
        begun.set()
        assert goes_on.wait(60)
        connection.execute(names.insert().values(name="slow"))
        return "made"

    waits = asyncio.ensure_future(store.change(change))
    await asyncio.to_thread(begun.wait, 60)
    with pytest.raises(StoreGone):  # it has not begun, and never does
        await store.change(lambda connection: connection.execute(names.insert().values(name="late")))
    goes_on.set()
    assert await waits == "made"
    assert await store.read(lambda connection: connection.execute(select(names.c.name)).scalars().all()) == ["slow"]


async def test_what_nobody_waits_for_any_more_is_not_made(store: Store) -> None:
    with closing(sqlite3.connect(store.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        first = asyncio.ensure_future(store.change(lambda _: None))
        gone = asyncio.ensure_future(store.change(lambda c: c.execute(names.insert().values(name="gone"))))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.wait([gone])
        holder.execute("ROLLBACK")
    await first
    await store.change(lambda _: None)
    assert await store.read(lambda connection: connection.execute(select(names.c.name)).all()) == []


async def test_that_the_store_is_gone_is_logged_once_until_it_is_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(module, "log_event", lambda event, **_: said.append(event))
    for _ in range(2):
        for _ in range(3):
            with pytest.raises(StoreGone):
                await store.read(lambda connection: connection.execute(text("SELECT * FROM nothing")))
        await store.read(lambda _: None)
    assert said == ["store_unreachable"] * 2


async def test_after_the_end_a_change_finds_the_store_gone(store: Store) -> None:
    await asyncio.to_thread(store.close)
    with pytest.raises(StoreGone):
        await store.change(lambda _: None)


async def test_what_nobody_has_asked_for_is_given_up_while_the_file_is_held_and_never_kept(store: Store) -> None:
    def keep(connection: sqlite3.Connection) -> int:
        return connection.execute("INSERT INTO names (name) VALUES ('spare')").rowcount

    with closing(sqlite3.connect(store.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryUnavailable):
            await store.keep(keep, within_s=0.05)  # runs out
    await store.keep(lambda _: None)  # behind it
    assert await store.read(lambda connection: connection.execute(select(names.c.name)).scalars().all()) == []
    assert await store.keep(keep, within_s=LAST_RESORT_S) == 1
    assert await store.read(lambda connection: connection.execute(select(names.c.name)).scalars().all()) == ["spare"]


async def test_what_nobody_has_asked_for_and_is_being_kept_is_told_as_kept(store: Store) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def keep(connection: sqlite3.Connection) -> str:
        begun.set()
        assert goes_on.wait(LAST_RESORT_S)
        connection.execute("INSERT INTO names (name) VALUES ('slow')")
        return "kept"

    async def asked() -> asyncio.Future[str]:
        waits = asyncio.ensure_future(store.keep(keep, within_s=0.05))  # runs out
        await eventually(lambda: begun.is_set() or waits.done())
        return waits

    waits = await asked()
    while not begun.is_set():  # a busy machine may be too slow to begin, and it is given up
        waits = await asked()
    await asyncio.sleep(0.1)
    assert not waits.done(), "it is over time, and is waited for"
    goes_on.set()
    assert await waits == "kept"
