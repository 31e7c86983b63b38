"""What somebody waits for: turns are committed together, and each is told what became of its own."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hayate.errors import ConversationFull
from hayate.store import awaited as module
from hayate.store.attached import Attached
from hayate.store.awaited import Awaited, TooManyWait
from hayate.store.migrate import open_file
from hayate.store.sqlite import connect
from tests.unit.store.conftest import count

LAST_RESORT_S = 60


@pytest.fixture
def file(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Attached]:
    monkeypatch.setattr(connect, "__kwdefaults__", (connect.__kwdefaults__ or {}) | {"busy_s": 0.01})
    found = Attached(path, lambda _: None)
    yield found
    found.close()


@pytest.fixture
def awaited(path: Path, file: Attached) -> Awaited:
    return Awaited(open_file(path)[0], file)


def named(name: str) -> Callable[[sqlite3.Connection], str]:
    """Keeps a name."""

    def how(connection: sqlite3.Connection) -> str:
        connection.execute("INSERT INTO names (name) VALUES (?)", (name,))
        return name

    return how


def failing(error: BaseException) -> Callable[[sqlite3.Connection], None]:
    """Keeps a name, and fails then."""

    def how(connection: sqlite3.Connection) -> None:
        named("never")(connection)
        raise error

    return how


def names(path: Path) -> list[str]:
    with closing(connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM names ORDER BY id")]


def commits(file: Attached) -> list[str]:
    """The statements that begin and end transactions from now on, and how safe they are."""
    found: list[str] = []
    words = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA synchronous")
    file.connection().set_trace_callback(lambda text: found.append(text) if text.startswith(words) else None)
    return found


def test_what_has_queued_is_one_commit_that_is_on_the_disk(path: Path, file: Attached, awaited: Awaited) -> None:
    futures = [awaited.keep(named(str(number)), 10) for number in range(5)]
    statements = commits(file)
    assert awaited.make_some() == 1
    assert [future.result(0) for future in futures] == [*"01234"]
    assert names(path) == [*"01234"]
    assert statements == ["PRAGMA synchronous = FULL", "BEGIN IMMEDIATE", "COMMIT"]
    assert not awaited


def test_each_is_told_after_the_commit(path: Path, awaited: Awaited) -> None:
    seen: list[list[str]] = []
    awaited.keep(named("x"), 0).add_done_callback(lambda _: seen.append(names(path)))
    awaited.make_some()
    assert seen == [["x"]]


@pytest.mark.parametrize(
    "error", [ConversationFull("full"), KeyError("x"), sqlite3.IntegrityError("taken"), sqlite3.DataError("long")]
)
def test_one_that_fails_harms_no_other(path: Path, awaited: Awaited, error: Exception) -> None:
    first, bad, last = (awaited.keep(how, 0) for how in (named("a"), failing(error), named("b")))
    awaited.make_some()
    assert (first.result(0), last.result(0)) == ("a", "b")
    assert bad.exception(0) is error
    assert names(path) == ["a", "b"]


def test_those_that_fail_before_any_other_leave_nothing_to_commit(path: Path, file: Attached, awaited: Awaited) -> None:
    statements = commits(file)
    bad = [awaited.keep(failing(KeyError("x")), 0) for _ in range(2)]
    awaited.make_some()
    assert all(isinstance(each.exception(0), KeyError) for each in bad)
    assert statements[1:] == ["BEGIN IMMEDIATE", "ROLLBACK"] * 2
    first, good = awaited.keep(failing(KeyError("x")), 0), awaited.keep(named("a"), 0)
    awaited.make_some()
    assert isinstance(first.exception(0), KeyError)
    assert good.result(0) == "a"
    assert names(path) == ["a"]
    assert awaited.kept == 1


@pytest.mark.parametrize(
    "error", [sqlite3.OperationalError("disk is full"), sqlite3.DatabaseError("malformed"), OSError(5, "no input")]
)
def test_what_the_file_is_to_blame_for_undoes_all_and_all_are_told(
    path: Path, awaited: Awaited, error: Exception
) -> None:
    futures: list[Future[Any]] = [awaited.keep(how, 0) for how in (named("a"), failing(error), named("b"))]
    awaited.make_some()
    assert [future.exception(0) for future in futures] == [error] * 3
    assert names(path) == []
    again = awaited.keep(named("c"), 0)
    awaited.make_some()
    assert again.result(0) == "c"
    assert names(path) == ["c"]


def test_a_file_that_another_program_holds_is_told_to_each(path: Path, awaited: Awaited) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        futures = [awaited.keep(named(str(number)), 0) for number in range(2)]
        awaited.make_some()
    for future in futures:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            future.result(0)
    assert names(path) == []


def test_nothing_is_kept_in_a_file_that_is_moved_away_meanwhile(path: Path, awaited: Awaited) -> None:
    def move(connection: sqlite3.Connection) -> None:
        named("x")(connection)
        path.rename(path.with_name("elsewhere.db"))

    future = awaited.keep(move, 0)
    awaited.make_some()
    with pytest.raises(sqlite3.OperationalError, match="moved away"):
        future.result(0)
    again = awaited.keep(named("y"), 0)
    awaited.make_some()
    assert again.result(0) == "y"
    assert names(path) == ["y"]


def test_a_real_full_disk_keeps_nothing(path: Path, file: Attached, awaited: Awaited) -> None:
    connection = file.connection()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    small, large = awaited.keep(named("a"), 0), awaited.keep(named("b" * 100_000), 0)
    awaited.make_some()
    for future in (small, large):
        with pytest.raises(sqlite3.OperationalError, match="full"):
            future.result(0)
    connection.execute("PRAGMA max_page_count = 1000000")
    assert names(path) == []
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_more_than_may_wait_is_refused_at_once(awaited: Awaited, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TURNS", 3)
    for _ in range(3):
        awaited.keep(named("x"), 0)
    with pytest.raises(TooManyWait):
        awaited.keep(named("x"), 0)
    awaited.make_some()
    awaited.keep(named("x"), 0)


def test_streams_that_end_all_at_once_are_all_waited_for(awaited: Awaited) -> None:
    for _ in range(9500):
        awaited.keep(named("x"), 4096)
    assert awaited.waiting == 9500


def test_of_much_less_may_wait_but_one_always(awaited: Awaited, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TURN_BYTES", 100)
    awaited.keep(named("a"), 1000)
    with pytest.raises(TooManyWait):
        awaited.keep(named("b"), 1)
    awaited.make_some()
    awaited.keep(named("c"), 60)
    awaited.keep(named("d"), 40)
    with pytest.raises(TooManyWait):
        awaited.keep(named("e"), 1)


def test_nobody_waits_for_it_any_more(path: Path, awaited: Awaited) -> None:
    gone, stays = awaited.keep(named("a"), 0), awaited.keep(named("b"), 0)
    assert gone.cancel()
    awaited.make_some()
    assert stays.result(0) == "b"
    assert names(path) == ["b"]
    awaited.keep(named("c"), 0).cancel()
    awaited.make_some()
    assert names(path) == ["b"]


def test_more_than_one_commit_is_made_of_many(path: Path, awaited: Awaited, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOGETHER", 4)
    for number in range(10):
        awaited.keep(named(str(number)), 0)
    assert awaited.make_some() == 3
    assert names(path) == [*map(str, range(10))]


def test_what_never_ends_lets_others_have_their_turn(awaited: Awaited, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 3)

    def again(connection: sqlite3.Connection) -> None:
        awaited.keep(again, 0)

    awaited.keep(again, 0)
    assert awaited.make_some() == 3
    assert awaited


def test_changes_and_turns_are_both_made(path: Path, awaited: Awaited) -> None:
    change = awaited.change(lambda c: c.exec_driver_sql("INSERT INTO names (name) VALUES ('change')").rowcount)
    turn = awaited.keep(named("turn"), 0)
    assert awaited.make_some() == 2
    assert (change.result(0), turn.result(0)) == (1, "turn")
    assert sorted(names(path)) == ["change", "turn"]


def test_after_the_end_all_are_told(awaited: Awaited) -> None:
    futures: list[Future[Any]] = [awaited.keep(named("x"), 0), awaited.change(lambda _: None)]
    awaited.keep(named("y"), 0).cancel()
    awaited.fail_all()
    for future in futures:
        with pytest.raises(sqlite3.OperationalError, match="closed"):
            future.result(0)
    assert not awaited


def test_what_ends_the_thread_is_told_too(awaited: Awaited) -> None:
    turn = awaited.keep(failing(SystemExit()), 0)
    with pytest.raises(SystemExit):
        awaited.make_some()
    assert isinstance(turn.exception(0), SystemExit)


def test_what_is_put_by_many_at_once_is_all_made(path: Path, awaited: Awaited) -> None:
    done = threading.Event()
    futures: list[Future[str]] = []

    def put(first: int) -> None:
        futures.extend(awaited.keep(named(str(first + number)), 1) for number in range(100))

    def make() -> None:
        while not done.is_set() or awaited:
            awaited.make_some()

    maker = threading.Thread(target=make)
    putters = [threading.Thread(target=put, args=(first,)) for first in (0, 100, 200)]
    for each in (maker, *putters):
        each.start()
    for each in putters:
        each.join()
    done.set()
    maker.join(LAST_RESORT_S)
    assert sorted(int(future.result(0)) for future in futures) == [*range(300)]
    with closing(connect(path)) as connection:
        assert count(connection, "names") == 300
