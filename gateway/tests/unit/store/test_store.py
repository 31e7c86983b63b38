"""The store as the gateway has it: changes that are kept, reading off the loop, and what happens when it is gone."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import select, text

from hayate.errors import InvalidRequest, StoreGone
from hayate.settings import Keeping
from hayate.store import store as module
from hayate.store.schema import names
from hayate.store.store import Store

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
    assert (store.retention.days, store.writer.max_rows) == (7, 11)
