"""What was used adds up, by word and by time; and calls are listed the latest first."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from hayate.access import key_admin
from hayate.access.terms import FREE
from hayate.store.groups import By
from hayate.store.sqlite import writing
from hayate.store.store import Store
from hayate.store.usage import Filter, Used, key_names, recent, used
from tests.unit.store.conftest import Make

DAY = 1_799_971_200.0  # midnight, UTC
HOUR = 3600.0


@pytest.fixture
def connection(store: Store, make: Make) -> Iterator[Connection]:
    store.calls_ended(
        [
            make(ended_at=DAY + 1, key="game", project="games", tokens=(100, 10, 50)),
            make(ended_at=DAY + 2, key="game", project="games", tokens=(100, 0, 50), status=499),
            make(ended_at=DAY + HOUR, key="bot", project="games", model="smart", tokens=(1000, 0, 500)),
            make(ended_at=DAY + 25 * HOUR, key="bot", project="games", tokens=(1, 0, 1), error="timeout", status=504),
        ]
    )
    deadline = time.monotonic() + 60
    while store.writer.backlog:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    with store.engine.connect() as found:
        yield found


def names(found: list[Used]) -> list[tuple[str | int, int, int, int]]:
    return [(each.name, each.calls, each.failed, each.tokens_in) for each in found]


def test_by_key_the_greatest_first(connection: Connection) -> None:
    found = used(connection, "key", Filter())
    assert names(found) == [("bot", 2, 1, 1001), ("game", 2, 1, 200)]
    assert (found[1].tokens_cached, found[1].tokens_out, found[1].inexact) == (10, 100, 0)


@pytest.mark.parametrize(
    ("by", "expected"), [("project", ["games"]), ("model", ["smart", "fast"]), ("deployment", ["qwen"])]
)
def test_by_other_words(connection: Connection, by: By, expected: list[str]) -> None:
    assert [each.name for each in used(connection, by, Filter())] == expected


def test_what_no_engine_took_is_no_estimate(store: Store, make: Make) -> None:
    refused, guessed = make(tokens=(0, 0, 0), status=429), make(tokens=(5, 0, 5))
    for each in (refused, guessed):
        each.usage.exact = False
    store.calls_ended([refused, guessed])
    store.close()
    with store.engine.connect() as found:
        assert [(each.calls, each.inexact) for each in used(found, "key", Filter())] == [(2, 1)]


def test_keys_have_their_names(store: Store) -> None:
    now = time.time()
    with writing(store.engine) as connection, connection.begin():
        made, _ = key_admin.create(connection, name="game", project=None, expires_at=None, terms=FREE, now=now)
    with store.engine.connect() as found:
        groups = [Used(name, 1, 0, 0, 0, 0, 0) for name in (made.id, "main")]
        assert key_names(found, groups) == {made.id: "game"}
        assert key_names(found, []) == {}


def test_by_hour_and_by_day_the_earliest_first(connection: Connection) -> None:
    ms = int(DAY * 1000)
    assert names(used(connection, "hour", Filter())) == [
        (ms, 2, 1, 200), (ms + 3_600_000, 1, 0, 1000), (ms + 25 * 3_600_000, 1, 1, 1),
    ]  # fmt: skip
    assert names(used(connection, "day", Filter())) == [(ms, 3, 1, 1200), (ms + 86_400_000, 1, 1, 1)]


def test_a_day_is_that_of_the_place(connection: Connection) -> None:
    tokyo = 9 * 3600
    found = used(connection, "day", Filter(), offset_s=tokyo)
    assert [each.name for each in found] == [int((DAY - tokyo) * 1000), int((DAY - tokyo + 24 * HOUR) * 1000)]
    assert [each.calls for each in found] == [3, 1]


def test_filters(connection: Connection) -> None:
    assert [each.calls for each in used(connection, "key", Filter(key="game"))] == [2]
    assert [each.calls for each in used(connection, "key", Filter(since=DAY + 2, until=DAY + 25 * HOUR))] == [1, 1]
    assert used(connection, "key", Filter(key="nobody")) == []
    assert [each.status for each in recent(connection, Filter(error="timeout"))] == [504]
    assert [each.key for each in recent(connection, Filter(status=499))] == ["game"]
    assert len(recent(connection, Filter(project="games", model="fast", deployment="qwen"))) == 3


def test_calls_the_latest_first_in_pages(connection: Connection) -> None:
    first = recent(connection, Filter(), limit=3)
    assert [each.status for each in first] == [504, 200, 499]
    (last,) = recent(connection, Filter(), before=first[-1].id, limit=3)
    assert last.ended_at == DAY + 1


def test_of_too_many_the_greatest_are_given_and_the_latest(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hayate.store.usage.MAX_ROWS", 1)
    assert names(used(connection, "key", Filter())) == [("bot", 2, 1, 1001)]
    assert names(used(connection, "hour", Filter())) == [(int(DAY * 1000) + 25 * 3_600_000, 1, 1, 1)]
