"""What the gateway keeps and recalls of conversations: awaited, within bounds, and what is told when the store is gone."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from contextlib import closing
from typing import Any

import pytest

from hayate.errors import ConversationFull, HistoryUnavailable, UnknownConversation
from hayate.settings import History, Keeping
from hayate.store import awaited, imports
from hayate.store import store as module
from hayate.store.conversation_changes import NewConversation
from hayate.store.conversations import list_, load
from hayate.store.imports import Import
from hayate.store.quick import TakesLong
from hayate.store.store import Store
from hayate.store.turns import Turn, keep
from tests.unit.store.conftest import LIMITS, NOW, said, texts, turn

pytestmark = pytest.mark.anyio


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What the log was told."""
    found: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(module, "log_event", lambda event, **facts: found.append((event, facts)))
    return found


async def count(store: Store, project: str = "shop") -> int:
    return len(await store.recall(lambda c: list_(c, project, limit=1000)))


async def test_a_turn_is_there_when_it_is_told_so(store: Store) -> None:
    kept = await store.keep(lambda c: keep(c, turn("q", "a"), NOW))
    found = await store.recall(lambda c: load(c, "shop", kept.conversation.id))
    assert found is not None
    assert texts(found.items) == ["q", "a"]


async def test_many_at_once_are_all_kept_in_few_commits(store: Store) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def wait(_: sqlite3.Connection) -> None:
        begun.set()
        goes_on.wait(60)

    first = asyncio.create_task(store.keep(wait))
    await asyncio.to_thread(begun.wait, 60)
    others = [asyncio.create_task(store.keep(lambda c: keep(c, turn("q", "a"), NOW))) for _ in range(20)]
    await asyncio.sleep(0)
    goes_on.set()
    await asyncio.gather(first, *others)
    assert await count(store) == 20


async def test_what_is_wrong_with_a_turn_reaches_who_wants_it_kept(store: Store) -> None:
    with pytest.raises(UnknownConversation):
        await store.keep(lambda c: keep(c, turn("q", "a", "conv_none"), NOW))
    with pytest.raises(ConversationFull):
        await store.keep(lambda c: keep(c, turn("q" * 2000, "a", limits=History(max_project_bytes=1024)), NOW))
    assert await count(store) == 0


async def test_a_store_that_is_held_is_unavailable_and_says_what_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHANGE_S", 0.05)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(HistoryUnavailable) as error:
            await store.keep(lambda c: keep(c, turn("q", "a"), NOW))
        assert await count(store) == 0  # reading goes on
    assert (error.value.status, error.value.code) == (503, "history_unavailable")
    assert error.value.retry_after_s
    assert await count(store) == 0  # and it was not kept after all


async def test_a_queue_that_is_full_is_unavailable_at_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awaited, "MAX_TURNS", 0)
    with pytest.raises(HistoryUnavailable):
        await store.keep(lambda c: keep(c, turn("q", "a"), NOW))


async def test_who_is_cancelled_has_it_kept_all_the_same(store: Store) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def wait(_: sqlite3.Connection) -> None:
        begun.set()
        goes_on.wait(60)

    first = asyncio.create_task(store.keep(wait))
    await asyncio.to_thread(begun.wait, 60)
    second = asyncio.create_task(store.keep(lambda c: keep(c, turn("q", "a"), NOW)))
    await asyncio.sleep(0)
    for each in (first, second):
        each.cancel()
    for each in (first, second):
        with pytest.raises(asyncio.CancelledError):
            await each
    goes_on.set()
    await store.keep(lambda c: None)
    assert await count(store) == 1


async def test_what_nobody_waits_for_is_kept_too(store: Store, events: list[tuple[str, dict[str, Any]]]) -> None:
    store.keep_later(lambda c: keep(c, turn("q", "a"), NOW))
    await store.keep(lambda c: None)
    assert await count(store) == 1
    assert events == []


async def test_what_could_not_be_kept_later_is_in_the_log_without_what_was_said(
    store: Store, events: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(error: Exception) -> Any:
        def how(_: sqlite3.Connection) -> None:
            raise error

        return how

    for error in (ConversationFull("secret"), sqlite3.OperationalError("database or disk is full")):
        store.keep_later(fail(error))
        await store.change(lambda _: None)
    monkeypatch.setattr(awaited, "MAX_TURNS", 0)
    store.keep_later(fail(KeyError("secret")))
    assert [event for event, _ in events] == ["turn_not_kept"] * 3
    reasons = [facts["reason"] for _, facts in events]
    assert reasons == ["ConversationFull", "database or disk is full", "too many answers wait to be written"]


async def test_who_was_cancelled_has_the_log_told_when_it_fails(
    store: Store, events: list[tuple[str, dict[str, Any]]]
) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def fail(_: sqlite3.Connection) -> None:
        begun.set()
        goes_on.wait(60)
        raise KeyError("x")

    task = asyncio.create_task(store.keep(fail))
    await asyncio.to_thread(begun.wait, 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    goes_on.set()
    await store.keep(lambda c: None)
    assert [event for event, _ in events] == ["turn_not_kept"]


async def test_little_is_read_on_the_loop_and_much_in_a_thread(store: Store) -> None:
    def where(_: sqlite3.Connection) -> int:
        return threading.get_ident()

    def much(connection: sqlite3.Connection) -> int:
        if threading.get_ident() == here:
            raise TakesLong
        return where(connection)

    here = threading.get_ident()
    assert await store.recall(where) == here
    assert await store.recall(much) != here
    assert await store.recall(where, long=True) != here


async def test_what_can_not_be_read_is_unavailable(store: Store) -> None:
    for long in (False, True):
        with pytest.raises(HistoryUnavailable):
            await store.recall(lambda c: c.execute("SELECT * FROM nothing"), long=long)
    store.path.unlink()
    with pytest.raises(HistoryUnavailable):
        await store.recall(lambda c: load(c, "shop", "conv_1"))
    assert store.glance(lambda c: c.execute("SELECT * FROM nothing")) is None


async def test_reading_has_an_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECALL_S", 0.05)
    goes_on = threading.Event()
    with pytest.raises(HistoryUnavailable):
        await store.recall(lambda _: goes_on.wait(60), long=True)
    goes_on.set()


async def test_what_is_made_in_steps_is_whole_or_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "TOGETHER", 2)
    items = [said("x" * 300) for _ in range(5)]
    made = await store.keep_in_steps(Import("shop", NewConversation(items=items, limits=LIMITS), NOW))
    assert (made.turns, await count(store)) == (1, 1)
    small = History(max_conversation_bytes=1100)
    with pytest.raises(ConversationFull):
        await store.keep_in_steps(Import("bot", NewConversation(items=items, limits=small), NOW))
    await store.keep(lambda c: None)
    assert await count(store, "bot") == 0


async def test_a_reload_reaches_how_long_conversations_are_kept(store: Store) -> None:
    history = History(idle_days=3)
    store.configure(Keeping(), history)
    assert store.housekeeping.ages._history is history


async def test_after_the_end_it_is_unavailable(store: Store) -> None:
    await asyncio.to_thread(store.close)
    with pytest.raises(HistoryUnavailable):
        await store.keep(lambda c: keep(c, Turn(project="shop", conversation=None), NOW))


async def test_what_fails_after_the_time_is_over_is_told_as_it_was(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHANGE_S", 1.0)
    begun, goes_on = threading.Event(), threading.Event()

    def fail(_: sqlite3.Connection) -> None:
        begun.set()
        goes_on.wait(60)
        raise ConversationFull("full")

    task = asyncio.create_task(store.keep(fail))
    await asyncio.to_thread(begun.wait, 60)
    await asyncio.sleep(1.1)
    goes_on.set()
    with pytest.raises(ConversationFull):
        await task
