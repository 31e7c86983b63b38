"""Everything, in parts: whole, in order, nobody else's, and whatever happens between two parts."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator

import pytest

from hayate.errors import UnknownConversation
from hayate.store import exports as module
from hayate.store.conversation_changes import NewConversation, create, delete
from hayate.store.exports import Part, all_of, one_of
from hayate.store.kept_responses import NewResponse
from hayate.store.store import Store
from hayate.store.turns import Turn, keep
from tests.unit.store.conftest import LIMITS, NOW, pictured, said, texts, turn

pytestmark = pytest.mark.anyio


async def joined(parts: AsyncIterator[Part]) -> dict[str, tuple[list[str], list[str]]]:
    """Of each conversation, its items' texts and its responses; parts that are out of order fail."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    ended: set[str] = set()
    async for part in parts:
        its = part.conversation.id
        assert part.begins == (its not in found)
        assert its not in ended
        items, responses = found.setdefault(its, ([], []))
        assert not (part.items and responses)
        items += texts(part.items)
        responses += [each.id for each in part.responses]
        if part.ends:
            ended.add(its)
    assert ended == set(found)
    return found


def filled(connection: sqlite3.Connection) -> dict[str, tuple[list[str], list[str]]]:
    """What a project has, and another beside it."""
    wanted: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for number in range(7):
        words = [f"{number}-{item}" for item in range(number)]
        new = NewConversation(items=[said(word) for word in words], limits=LIMITS)
        wanted[create(connection, "shop", new, NOW).id] = (words, [])
        keep(connection, turn("theirs", "theirs", project="bot"), NOW)
    made = None
    for number in range(5):
        new_one = turn(f"q{number}", f"a{number}", made, listed=False, response=NewResponse(f"resp_{number}", {}))
        made = keep(connection, new_one, NOW).conversation.id
        wanted[made][0].extend((f"q{number}", f"a{number}"))
        wanted[made][1].append(f"resp_{number}")
    return wanted


@pytest.mark.parametrize(("together", "size"), [(1, 1), (2, 150), (3, 10_000), (200, 1), (200, 1024 * 1024)])
async def test_all_of_a_project_is_there_however_small_the_parts(
    store: Store, monkeypatch: pytest.MonkeyPatch, together: int, size: int
) -> None:
    monkeypatch.setattr(module, "TOGETHER", together)
    monkeypatch.setattr(module, "PART_BYTES", size)
    wanted = await store.keep(filled)
    assert await joined(all_of(store, "shop")) == wanted
    for conversation_id, (items, responses) in wanted.items():
        assert await joined(one_of(store, "shop", conversation_id)) == {conversation_id: (items, responses)}


async def test_a_project_without_any_has_no_parts(store: Store) -> None:
    await store.keep(filled)
    assert await joined(all_of(store, "nobody")) == {}


async def test_pictures_are_in_it(store: Store) -> None:
    item = pictured("look", b"\x89PNG" * 100)
    kept = await store.keep(lambda c: keep(c, Turn(project="shop", conversation=None, items=[item]), NOW))
    parts = [part async for part in one_of(store, "shop", kept.conversation.id)]
    assert parts[0].items == kept.items


async def test_another_projects_is_not_exported(store: Store) -> None:
    kept = await store.keep(lambda c: keep(c, turn("q", "a"), NOW))
    with pytest.raises(UnknownConversation):
        await joined(one_of(store, "bot", kept.conversation.id))


async def test_one_that_is_deleted_meanwhile_ends_where_it_was(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART_BYTES", 1)
    new = NewConversation(items=[said(str(number)) for number in range(5)], limits=LIMITS)
    made = [await store.keep(lambda c: create(c, "shop", new, NOW)) for _ in range(2)]
    found: dict[str, list[str]] = defaultdict(list)
    ended = []
    async for part in all_of(store, "shop"):
        found[part.conversation.id] += texts(part.items)
        if part.ends:
            ended.append(part.conversation.id)
        if part.begins and part.conversation.id == made[0].id:
            await store.keep(lambda c: delete(c, "shop", made[0].id))
    assert found[made[0].id] == ["0"]
    assert found[made[1].id] == [*map(str, range(5))]
    assert ended == [each.id for each in made]
