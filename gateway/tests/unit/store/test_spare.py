"""What is kept only while somebody waits for it: made or given up, and never both."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, suppress
from functools import partial

import pytest

from hayate.store.spare import GivenUp, Spare


@pytest.fixture
def connection() -> sqlite3.Connection:
    return sqlite3.connect(":memory:")


def test_what_has_begun_can_not_be_given_up(connection: sqlite3.Connection) -> None:
    with closing(connection):
        spare = Spare(lambda _: "made", 1.0)
        assert spare(connection) == "made"
        assert not spare.give_up()


def test_what_is_given_up_is_never_made(connection: sqlite3.Connection) -> None:
    made: list[int] = []
    with closing(connection):
        spare = Spare(lambda _: made.append(1), 1.0)
        assert spare.give_up()
        with pytest.raises(GivenUp):
            spare(connection)
    assert made == []


def test_of_both_at_once_one_comes_first() -> None:
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as connection:
        for _ in range(200):
            made: list[int] = []
            spare = Spare(partial(_make, made), 1.0)
            maker = threading.Thread(target=_try, args=(spare, connection))
            maker.start()
            given_up = spare.give_up()
            maker.join()
            assert given_up is (made == [])


def _make(made: list[int], _: sqlite3.Connection) -> None:
    made.append(1)


def _try(spare: Spare[None], connection: sqlite3.Connection) -> None:
    with suppress(GivenUp):
        spare(connection)
