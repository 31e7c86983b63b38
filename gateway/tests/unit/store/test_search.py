"""Search in what was said: what it finds, what it must not, whose it is, and how long it takes."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from time import thread_time

import pytest

from hayate.errors import UnknownConversation
from hayate.store.conversations import get
from hayate.store.hidden import hide
from hayate.store.migrate import open_file
from hayate.store.quick import Quick, TakesLong
from hayate.store.search import MAX_NEW, MAX_TEXTS, Found, search
from hayate.store.search_upkeep import Upkeep
from hayate.store.sqlite import connect
from tests.support.held import slowness
from tests.support.said import QUERIES, SAID, Clock, keep, noise, settled

NAMES = list(SAID)
CPU_S = 0.010
MESSAGES = 50_000
COMMON = ("の", "会議", "会議 資料", "です", "会議の資料", "価格 会議 の")
"""What stands in thousands of them."""


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    open_file(tmp_path / "hayate.db")
    with closing(connect(tmp_path / "hayate.db")) as connection:
        yield connection


@pytest.fixture(scope="module", params=["just said", "in the index"])
def said(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("store") / "hayate.db"
    open_file(path)
    with closing(connect(path)) as connection:
        keep(connection, list(SAID.values()))
        if request.param == "in the index":
            into_the_index(connection)
        yield connection


def into_the_index(connection: sqlite3.Connection) -> None:
    clock = Clock()
    settled(connection, Upkeep(clock), clock)
    assert connection.execute("SELECT count(*) FROM unsearched").fetchone() == (0,)


def found(connection: sqlite3.Connection, query: str, project: str = "shop", limit: int = 1000) -> list[str]:
    return [each.conversation for each in search(connection, project, query, limit=limit)]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_finds_what_it_should_and_nothing_else(said: sqlite3.Connection, query: str) -> None:
    assert {NAMES[int(each.removeprefix("conv_")) - 1] for each in found(said, query)} == QUERIES[query]


@pytest.mark.parametrize("query", [query for query, names in QUERIES.items() if names])
def test_what_is_found_is_shown_as_it_was_said(said: sqlite3.Connection, query: str) -> None:
    for each in search(said, "shop", query, limit=100):
        text = SAID[NAMES[int(each.conversation.removeprefix("conv_")) - 1]]
        assert each.snippet == text.replace("\n", " ")
        assert all(each.parts[1::2])
        assert each.item == each.conversation.replace("conv", "msg")


def test_another_project_finds_nothing_of_it(connection: sqlite3.Connection) -> None:
    keep(connection, ["東京"], project="rival")
    for _ in range(2):
        assert found(connection, "東京") == found(connection, "京") == found(connection, "の") == []
        assert found(connection, "東京", "rival") == ["conv_1"]
        into_the_index(connection)


def test_not_even_one_whose_words_have_the_same_mark(
    connection: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("search", "search_upkeep"):
        monkeypatch.setattr(f"hayate.store.{module}.mark_of", lambda _: "same")
    keep(connection, ["東京"], project="rival")
    into_the_index(connection)
    assert found(connection, "東京") == []
    assert found(connection, "東京", "rival") == ["conv_1"]


def test_others_may_say_it_as_often_as_they_like(connection: sqlite3.Connection) -> None:
    (old,) = keep(connection, ["東京の話"])
    keep(connection, ["東京の話"] * 3000, project="rival", together=10)
    into_the_index(connection)
    assert found(connection, "東京") == found(connection, "京") == found(connection, "の") == [old]


def test_a_conversation_that_says_it_often_hides_no_other(connection: sqlite3.Connection) -> None:
    (old,) = keep(connection, ["東京の話"])
    (new,) = keep(connection, ["東京の話"] * 500, together=500)
    into_the_index(connection)
    for query in ("東京", "京", "の"):
        assert found(connection, query) == [new, old]


def test_what_was_just_said_is_found_however_much_has_been_said_since(connection: sqlite3.Connection) -> None:
    keep(connection, ["東京の話", *["大阪"] * (MAX_NEW - 1)], together=MAX_NEW)
    assert found(connection, "東京") == ["conv_1"]
    keep(connection, ["大阪"] * MAX_NEW, together=MAX_NEW)
    assert found(connection, "東京") == [], "of very many, the newest are looked at"
    into_the_index(connection)
    assert found(connection, "東京") == ["conv_1"]


def test_what_is_deleted_is_not_found_at_once(connection: sqlite3.Connection) -> None:
    keep(connection, ["東京", "東京"])
    into_the_index(connection)
    connection.execute("DELETE FROM items WHERE number = 1")
    deleted = get(connection, "shop", "conv_2")
    assert deleted is not None
    hide(connection, deleted)
    assert found(connection, "東京") == found(connection, "京") == []


def test_what_is_not_listed_is_not_found(connection: sqlite3.Connection) -> None:
    keep(connection, ["東京"], listed=False)
    keep(connection, ["東京"])
    into_the_index(connection)
    connection.execute("UPDATE conversations SET listed = 0")
    assert found(connection, "東京") == found(connection, "の") == []


def test_the_index_is_not_believed(connection: sqlite3.Connection) -> None:
    keep(connection, ["東京", "京都"])
    into_the_index(connection)
    connection.execute("UPDATE items SET body = replace(body, '東京', '大阪')")
    assert found(connection, "東京") == []


def test_the_best_comes_first_and_of_those_alike_the_newest(connection: sqlite3.Connection) -> None:
    keep(connection, ["猫がいる", f"猫がいる{'よ' * 300}", "猫と猫がいる", "猫がいた"])
    for _ in range(2):
        assert found(connection, "猫") == ["conv_3", "conv_4", "conv_1", "conv_2"]
        into_the_index(connection)


def test_of_a_conversation_its_best_is_shown(connection: sqlite3.Connection) -> None:
    keep(connection, ["猫がいる", "猫と猫がいる", f"猫がいる{'よ' * 300}"], together=3)
    assert [(each.item, each.conversation) for each in search(connection, "shop", "猫", limit=9)] == [
        ("msg_2", "conv_1")
    ]


def test_pages_are_the_whole_whatever_is_said_between(connection: sqlite3.Connection) -> None:
    chance = random.Random(5)
    keep(connection, ["猫" * chance.randint(1, 4) + "よ" * chance.randint(0, 300) for _ in range(40)])
    whole = found(connection, "猫")
    pages: list[Found] = []
    while page := search(connection, "shop", "猫", limit=7, after=pages[-1].conversation if pages else None):
        pages += page
        keep(connection, ["猫"])
    assert [each.conversation for each in pages if each.conversation in whole] == whole
    assert len({each.conversation for each in pages}) == len(pages)


@pytest.mark.parametrize("query", ["猫", "？"])
def test_nothing_comes_after_what_was_not_found(connection: sqlite3.Connection, query: str) -> None:
    keep(connection, ["猫", "犬"])
    with pytest.raises(UnknownConversation):
        search(connection, "shop", query, limit=7, after="conv_2")


def test_of_very_many_the_newest_are_looked_at(connection: sqlite3.Connection) -> None:
    ids = keep(connection, ["東京"] * (MAX_TEXTS + 100))
    into_the_index(connection)
    assert found(connection, "東京") == ids[:99:-1]


def test_a_long_text_is_found_by_its_beginning_alone(connection: sqlite3.Connection) -> None:
    keep(connection, [f"東京{'あ' * 49_990}大阪", f"{'あ' * 49_999}大阪"])
    for _ in range(2):
        assert (found(connection, "東京"), found(connection, "大阪"), found(connection, "阪")) == (
            ["conv_1"],
            ["conv_1"],
            ["conv_1"],
        )
        into_the_index(connection)


def test_the_event_loop_does_not_search(tmp_path: Path) -> None:
    open_file(tmp_path / "hayate.db")
    with closing(connect(tmp_path / "hayate.db", readonly=True, factory=Quick)) as on_loop, pytest.raises(TakesLong):
        search(on_loop, "shop", "東京", limit=1)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """So many messages that nobody looks through them, with those of SAID here and there."""
    path = tmp_path_factory.mktemp("store") / "hayate.db"
    open_file(path)
    with closing(connect(path)) as connection:
        texts, every = list(noise(MESSAGES - len(SAID))), MESSAGES // len(SAID) // 20 * 20
        for place, text in enumerate(SAID.values()):
            keep(connection, texts[place * every : (place + 1) * every], together=20)
            keep(connection, [text])
        keep(connection, texts[len(SAID) * every :], together=20)
        into_the_index(connection)
        yield path


@pytest.mark.alone
@pytest.mark.slow
def test_among_fifty_thousand_messages_a_query_finds_the_same_within_ten_milliseconds(large: Path) -> None:
    times_s, slow = [], slowness()
    with closing(connect(large, readonly=True)) as connection:
        numbers = "SELECT body, conversation FROM items WHERE body LIKE ?"
        planted = {
            name: f"conv_{connection.execute(numbers, (f'%{text}%',)).fetchone()[1]}"
            for name, text in SAID.items()
            if text.isprintable() and "%" not in text and '"' not in text and "_" not in text
        }
    for query, names in (QUERIES | {each: set(NAMES) for each in COMMON}).items():
        taken_s = []
        for _ in range(3):  # the least of them: what runs beside this adds to some
            began = thread_time()
            with closing(connect(large, readonly=True)) as connection:
                conversations = {each.conversation for each in search(connection, "shop", query, limit=20)}
                taken_s.append(thread_time() - began)
        times_s.append(min(taken_s))
        with closing(connect(large, readonly=True)) as connection:
            everything = {each.conversation for each in search(connection, "shop", query, limit=1000)}
        is_all = len(everything) < 12  # otherwise there is so much of it that the newest were looked at
        for name, conversation in planted.items():
            assert name in names or conversation not in everything, (query, name)
            assert name not in names or not is_all or conversation in everything, (query, name)
        assert conversations <= everything
    times_s.sort()
    assert times_s[int(len(times_s) * 0.95)] < CPU_S * max(slow, slowness()), times_s
