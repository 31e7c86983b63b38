"""Turns that are kept together: what is there afterwards is what would be there if each had been kept by itself."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from hayate.errors import ConversationFull, UnknownConversation
from hayate.settings import History
from hayate.store.attached import Attached
from hayate.store.awaited import Awaited
from hayate.store.conversation_changes import delete
from hayate.store.conversations import get, load
from hayate.store.kept_responses import NewResponse
from hayate.store.migrate import open_file
from hayate.store.sqlite import connect
from hayate.store.turns import Kept, Turn, keep
from hayate.store.turns_together import Keeping, keep_together
from tests.unit.store.conftest import NOW, answered, bytes_of, count, pictured, said, texts_in, turn

SYSTEM: Final = [said("be brief", "system")]
TABLES: Final = ("conversations", "items", "images", "item_images", "projects", "responses", "unsearched")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Another store, in which turns are kept one by one."""
    open_file(tmp_path / "other.db")[0].dispose()
    with closing(connect(tmp_path / "other.db")) as found:
        yield found


@pytest.fixture
def awaited(path: Path) -> Iterator[Awaited]:
    file = Attached(path, lambda _: None)
    yield Awaited(open_file(path)[0], file)
    file.close()


def keeping(wanted: Turn) -> Keeping:
    return Keeping(wanted, lambda connection: keep(connection, wanted, NOW))


def known(of: Kept | None, **more: Any) -> Turn:
    """The next turn of a conversation, by who knows it."""
    assert of is not None
    now = of.conversation
    return replace(turn("more", "and more", now.id, now.project, known=now), **more)


def rows(connection: sqlite3.Connection) -> dict[str, list[Any]]:
    """All that is there, in its order; items' ids, which are drawn, as if they were all the same."""
    found = {each: connection.execute(f"SELECT * FROM {each} ORDER BY 1, 2").fetchall() for each in TABLES}
    found["items"] = [(number, *rest) for number, _, *rest in found["items"]]
    return found


def each_by_itself(connection: sqlite3.Connection, turns: Sequence[Turn]) -> list[Kept]:
    return [keep(connection, each, NOW) for each in turns]


def bare(kept: Sequence[Kept] | None) -> list[Any]:
    """What was told, without ids that were drawn."""
    assert kept is not None
    return [
        (each.conversation, [(item.number, item.turn, item.place, item.answer) for item in each.items]) for each in kept
    ]


def test_it_is_as_if_each_had_been_kept_by_itself(connection: sqlite3.Connection, other: sqlite3.Connection) -> None:
    first = [
        turn("q", "a", new_id="conv_a"),
        turn("q", "a", new_id="conv_b", project="bot", head=SYSTEM, tokens=7, first_turn=1, window=100),
        replace(turn("q", "a", new_id="conv_c", listed=False), items=[pictured("see", b"\x89PNG")]),
        turn("q", "a", new_id="conv_d", listed=False, response=NewResponse("resp_d", {"x": 1})),
    ]
    begun = keep_together(connection, first, NOW)
    assert begun is not None
    assert bare(begun) == bare(each_by_itself(other, first))
    then = [
        known(begun[3], response=NewResponse("resp_e", {}, "resp_d"), goes_on=True, behind=2),
        turn("q", "a", new_id="conv_f"),
        known(begun[1], head=SYSTEM, head_stays=True, tokens=9),
        known(begun[0], items=[pictured("see", b"\x89PNG")], answer=[answered("a"), answered("b")]),
        known(begun[2], window=50, first_turn=2),
    ]
    assert all(keeping(each).is_plain for each in (*first, *then))
    assert bare(keep_together(connection, then, NOW + 1)) == bare([keep(other, each, NOW + 1) for each in then])
    assert rows(connection) == rows(other)
    assert bytes_of(connection) > 0


def test_however_many_there_are(connection: sqlite3.Connection, other: sqlite3.Connection) -> None:
    turns = [turn(f"q{number}", "a", new_id=f"conv_{number}") for number in range(45)]
    begun = keep_together(connection, turns, NOW)
    each_by_itself(other, turns)
    then = [known(each) for each in begun or ()]
    assert keep_together(connection, then, NOW) is not None
    each_by_itself(other, then)
    assert rows(connection) == rows(other)


class Counting(sqlite3.Connection):
    """One that counts the statements that it is given."""

    executed = 0

    def execute(self, *asked: Any) -> sqlite3.Cursor:
        self.executed += 1
        return super().execute(*asked)


def test_they_take_few_statements(path: Path) -> None:
    with closing(connect(path, factory=Counting)) as connection:
        assert isinstance(connection, Counting)
        before = connection.executed
        begun = keep_together(connection, [turn("q", "a", new_id=f"conv_{number}") for number in range(8)], NOW)
        assert connection.executed - before == 3  # conversations, items, what the project has
        keep_together(connection, [known(each) for each in begun or ()], NOW)
        assert connection.executed - before == 6


def test_what_is_not_plain(connection: sqlite3.Connection) -> None:
    of = keep(connection, turn("q", "a"), NOW)
    assert keeping(known(of)).is_plain
    assert not keeping(known(of, known=None)).is_plain
    assert not keeping(known(of, replaces_answer=True)).is_plain
    assert not keeping(known(of, head=SYSTEM)).is_plain
    assert not keeping(known(of, behind=1)).is_plain
    assert not keeping(known(of, project="bot")).is_plain
    assert not keeping(known(of, conversation="conv_branch")).is_plain


def test_another_version_is_not_gone_on_with(connection: sqlite3.Connection) -> None:
    of = keep(connection, turn("q", "a"), NOW)
    keep(connection, turn("meanwhile", "b", of.conversation.id), NOW)
    connection.execute("BEGIN")
    assert keep_together(connection, [turn("q", "a"), known(of)], NOW) is None
    connection.execute("ROLLBACK")


def test_a_conversation_that_was_deleted_does_not_come_back(connection: sqlite3.Connection, awaited: Awaited) -> None:
    hidden, erased = (keep(connection, turn("q", "a"), NOW) for _ in range(2))
    delete(connection, "shop", hidden.conversation.id)
    connection.execute("DELETE FROM conversations WHERE number = ?", (erased.conversation.number,))
    gone = [awaited.keep(keeping(known(of)), 0) for of in (hidden, erased)]
    good = awaited.keep(keeping(turn("q", "a", new_id="conv_b")), 0)
    awaited.make_some()
    assert all(isinstance(each.exception(0), UnknownConversation) for each in gone)
    assert good.result(0).conversation.id == "conv_b"
    assert count(connection, "conversations") == 2  # what is hidden is still to go
    assert count(connection, "items") == 4


def test_two_of_one_conversation_stand_one_behind_the_other(connection: sqlite3.Connection, awaited: Awaited) -> None:
    of = keep(connection, turn("q", "a"), NOW)
    both = [awaited.keep(keeping(known(of, items=[said(text)])), 0) for text in ("first", "second")]
    awaited.make_some()
    assert [each.result(0).conversation.turns for each in both] == [2, 3]
    expected = ["q", "a", "first", "and more", "second", "and more"]
    assert texts_in(connection, "shop", of.conversation.id) == expected


def test_an_item_whose_id_is_taken_gets_another(connection: sqlite3.Connection, awaited: Awaited) -> None:
    of = keep(connection, replace(turn("q", "a"), items=[{**said("q"), "id": "msg_1"}]), NOW)
    again = awaited.keep(keeping(known(of, items=[{**said("more"), "id": "msg_1"}])), 0)
    good = awaited.keep(keeping(turn("q", "a")), 0)
    awaited.make_some()
    assert again.result(0).items[0].id != "msg_1"
    assert good.result(0).items[0].number > 0
    found = load(connection, "shop", of.conversation.id)
    assert found is not None
    assert len({each.id for each in found.items}) == 4


@pytest.mark.parametrize("few", [History(max_conversation_bytes=1024), History(max_project_bytes=1024)])
def test_for_one_there_is_no_room(connection: sqlite3.Connection, awaited: Awaited, few: History) -> None:
    long = awaited.keep(keeping(turn("q" * 2000, "a", new_id="conv_long", limits=few)), 0)
    short = awaited.keep(keeping(turn("q", "a", new_id="conv_short", limits=few)), 0)
    other = awaited.keep(keeping(turn("q", "a", new_id="conv_other", project="bot")), 0)
    awaited.make_some()
    assert isinstance(long.exception(0), ConversationFull)
    assert short.result(0).conversation.id == "conv_short"
    assert other.result(0).conversation.id == "conv_other"
    assert get(connection, "shop", "conv_long") is None
    bytes_of(connection)


def test_limits_that_changed_between_two_hold_for_each(connection: sqlite3.Connection, awaited: Awaited) -> None:
    wide, few = History(), History(max_project_bytes=1024)
    first = awaited.keep(keeping(turn("q", "a" * 2000, limits=wide)), 0)
    second = awaited.keep(keeping(turn("q", "a", limits=few)), 0)
    awaited.make_some()
    assert first.result(0).conversation.turns == 1
    assert isinstance(second.exception(0), ConversationFull)
    bytes_of(connection)
