"""`hayate usage` on a data folder: the table, CSV and JSON add up the same calls; a mistake names its option."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from pathlib import Path

import pytest

from hayate.settings import Keeping
from hayate.store.store import Store
from hayate.telemetry.record import CallRecord
from hayate.wire.usage import Usage
from tests.unit.tools.typist import Typed, typist


def call(key: str, project: str, tokens: tuple[int, int, int], *, ago_s: float = 60.0, status: int = 200) -> CallRecord:
    record = CallRecord("r", "chat", 1.0, key=key, project=project, model="fast")
    record.deployment, record.replica, record.status = "qwen", "qwen/0", status
    record.ended, record.ended_at = 2.0, time.time() - ago_s
    record.usage = Usage(tokens[0], tokens[2], tokens[1], exact=status == 200)
    return record


@pytest.fixture
def used(typed: Typed, tmp_path: Path) -> Typed:
    """A folder where a game's key and the owner's have been used."""
    key_id = json.loads(typed("key", "create", "--name", "game", "--project", "遊び", "--json").stdout)["id"]
    store = Store.open(tmp_path / "data", Keeping())
    store.calls_ended(
        [
            call("main", "default", (1000, 0, 0), ago_s=30 * 86_400),
            *(call(key_id, "遊び", (100, 10, 50)) for _ in range(3)),
            call(key_id, "遊び", (0, 0, 0), status=429),
            call("main", "default", (7, 0, 3)),
        ]
    )
    store.close()
    return typed


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_a_table_with_the_keys_names(used: Typed, lang: str) -> None:
    told = used("usage", lang=lang)
    assert (told.exit_code, told.stderr) == (0, "")
    _, _, game, owner, total = told.stdout.splitlines()
    assert game.split()[:7] == ["game", "4", "1", "300", "30", "150", "450"]
    assert owner.split()[:2] == ["owner", "1"]
    assert total.split()[1:] == ["5", "1", "307", "30", "153", "460"]


def test_json_and_csv_have_ids_and_names(used: Typed) -> None:
    told = json.loads(used("usage", "--json").stdout)
    assert [(each["label"], each["calls"], each["inexact_calls"]) for each in told["data"]] == [
        ("game", 4, 0),
        ("owner", 1, 0),
    ]
    assert told["data"][1]["name"] == "main"
    assert told["since"].endswith("Z")
    rows = list(csv.DictReader(io.StringIO(used("usage", "--csv").stdout)))
    assert [row["label"] for row in rows] == ["game", "owner"]
    assert [row["input_tokens"] for row in rows] == ["300", "7"]
    assert {*rows[0]} == {*told["data"][0], "currency"}


def test_by_day_in_json_is_iso(used: Typed) -> None:
    (day,) = json.loads(used("usage", "--by", "day", "--json").stdout)["data"]
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:00Z", day["name"])
    assert day["label"] == day["name"]


@pytest.mark.parametrize(
    ("words", "calls"),
    [
        (("--key", "game"), 4),
        (("--key", "owner"), 1),
        (("--key", "main", "--since", "60d"), 2),
        (("--project", "遊び"), 4),
        (("--model", "fast"), 5),
        (("--since", "60d", "--until", "2d"), 1),
    ],
)
def test_whose_calls_and_when(used: Typed, words: tuple[str, ...], calls: int) -> None:
    told = json.loads(used("usage", *words, "--json").stdout)
    assert sum(each["calls"] for each in told["data"]) == calls


def test_nothing_is_told_in_words(used: Typed) -> None:
    for lang, says in (("en", "No call was recorded"), ("ja", "記録はありません")):
        told = used("usage", "--model", "nobody's", lang=lang)
        assert (told.exit_code, told.stdout) == (0, "")
        assert says in told.stderr
    assert used("usage", "--model", "nobody's", "--csv").stdout.startswith("name,label,calls,")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--since", "soon"), "--since"),
        (("--until", "12"), "--until"),
        (("--since", "1h", "--until", "2h"), "--since 1h is later than --until 2h."),
        (("--since", "2999-01-01"), "later than --until now"),
        (("--key", "nobody"), "There is no key"),
    ],
)
def test_a_mistake_is_told(used: Typed, words: tuple[str, ...], says: str) -> None:
    told = used("usage", *words)
    assert (told.exit_code, told.stdout) == (2, "")
    assert says in told.stderr
    assert used("usage", *words, lang="ja").stderr != told.stderr


def test_a_time_that_no_call_can_have_is_no_trouble(used: Typed) -> None:
    assert used("usage", "--since", "1970-01-01", "--until", "36500d").exit_code == 0
    for words in (("--since", "0001-01-02"), ("--until", "9999-12-31T23:59:59")):
        told = used("usage", *words)
        assert (told.exit_code, told.stdout) == (2, "")
        assert "is no time" in told.stderr


def test_looking_makes_no_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = typist(monkeypatch, tmp_path)("usage")
    assert told.exit_code == 2
    assert not (tmp_path / "data").exists()
