"""`hayate key …` on a data folder: the key alone on standard output, everything else beside it; nothing changed by a mistake."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hayate.access.keys import digest_of, id_in
from hayate.store.sqlite import engine_of
from tests.unit.tools.typist import Typed, typist

OF_A_GAME = (
    *("--models", "fast,embed", "--rpm", "60", "--tpm", "100000", "--concurrency", "4"),
    *("--weight", "5", "--expires", "90d", "--max-output", "1024"),
)


def rows(tmp_path: Path) -> list[dict[str, Any]]:
    connection = sqlite3.connect(tmp_path / "data" / "hayate.db")
    connection.row_factory = sqlite3.Row
    found = [dict(row) for row in connection.execute("SELECT * FROM keys ORDER BY created_ms")]
    connection.close()
    return found


def test_a_key_is_shown_alone_and_once_and_only_its_hash_is_kept(typed: Typed, tmp_path: Path) -> None:
    made = typed("key", "create", "--name", "game", *OF_A_GAME)
    key = made.stdout.strip()
    assert (made.exit_code, made.stdout) == (0, f"{key}\n")
    assert id_in(key.encode()) is not None
    assert "shown this once" in made.stderr
    assert [row["digest"] for row in rows(tmp_path)] == [digest_of(key.encode())]
    assert key.encode() not in (tmp_path / "data" / "hayate.db").read_bytes()
    for words in (("list",), ("show", "game"), ("list", "--json"), ("show", "game", "--json")):
        assert key not in typed("key", *words).output


def test_a_key_is_what_was_typed(typed: Typed) -> None:
    typed("key", "create", "--name", "game", *OF_A_GAME)
    shown = json.loads(typed("key", "show", "game", "--json").stdout)
    assert shown["models"] == ["fast", "embed"]
    assert shown["limits"] == {"requests_per_minute": 60, "tokens_per_minute": 100_000, "concurrency": 4}
    assert (shown["weight"], shown["max_output_tokens"], shown["project"], shown["state"]) == (
        5,
        1024,
        "game",
        "active",
    )
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:.]+Z", shown["expires_at"])
    assert typed("key", "show", shown["id"]).stdout == typed("key", "show", "game").stdout


def test_json_has_the_key_only_where_it_is_made(typed: Typed) -> None:
    made = json.loads(typed("key", "create", "--name", "game", "--json").stdout)
    assert id_in(made["key"].encode()) == made["id"]
    assert json.loads(typed("key", "show", "game", "--json").stdout)["key"] is None
    again = json.loads(typed("key", "rotate", "game", "--json").stdout)
    assert again["id"] == made["id"]
    assert again["key"] != made["key"]
    listed = json.loads(typed("key", "list", "--json").stdout)
    assert [(each["id"], each["key"]) for each in listed["data"]] == [(made["id"], None)]


def test_an_empty_list_is_told_in_words(typed: Typed) -> None:
    for lang, says in (("en", "No keys yet"), ("ja", "まだキーはありません")):
        told = typed("key", "list", lang=lang)
        assert (told.exit_code, told.stdout) == (0, "")
        assert says in told.stderr
    typed("key", "create", "--name", "game")
    typed("key", "revoke", "game")
    assert "--all" in typed("key", "list").stderr
    assert "revoked" in typed("key", "list", "--all").stdout
    assert json.loads(typed("key", "list", "--json").stdout)["data"] == []


def test_an_update_changes_what_is_typed(typed: Typed, tmp_path: Path) -> None:
    typed("key", "create", "--name", "game", *OF_A_GAME)
    told = typed("key", "update", "game", "--name", "bot", "--rpm", "none", "--expires", "never", lang="ja")
    assert told.exit_code == 0
    assert "bot" in told.stdout
    shown = json.loads(typed("key", "show", "bot", "--json").stdout)
    assert (shown["expires_at"], shown["limits"]) == (None, {"tokens_per_minute": 100_000, "concurrency": 4})
    version = rows(tmp_path)[0]["version"]
    assert json.loads(typed("key", "update", "bot", "--weight", "5", "--json").stdout)["weight"] == 5
    assert rows(tmp_path)[0]["version"] == version, "nothing was changed: its sessions go on"


def test_a_rotated_key_says_until_when_the_old_one_is_good(typed: Typed, tmp_path: Path) -> None:
    old = typed("key", "create", "--name", "game").stdout.strip()
    told = typed("key", "rotate", "game", "--grace", "2h")
    assert re.search(r"stays good until 20\d\d-\d\d-\d\d \d\d:\d\d\.", told.stderr)
    row = rows(tmp_path)[0]
    assert (row["digest"], row["old_digest"]) == (digest_of(told.stdout.strip().encode()), digest_of(old.encode()))
    at_once = typed("key", "rotate", "game", "--grace", "0s", lang="ja")
    assert "古いキーは使えません" in at_once.stderr
    assert rows(tmp_path)[0]["old_digest"] is None


def test_the_owners_key_is_rotated_by_its_name(typed: Typed, tmp_path: Path) -> None:
    kept = tmp_path / "data" / "api_key"
    kept.write_text("sk-hayate-0123456789abcdef\n", encoding="ascii")
    told = typed("key", "rotate", "owner")
    assert told.stdout == kept.read_text(encoding="ascii") != "sk-hayate-0123456789abcdef\n"
    assert "restart" in told.stderr
    assert typed("key", "--rotate").stdout == kept.read_text(encoding="ascii") != told.stdout


def test_a_revoked_key_stays_revoked(typed: Typed) -> None:
    key_id = json.loads(typed("key", "create", "--name", "game", "--json").stdout)["id"]
    told = typed("key", "revoke", "game")
    assert (told.exit_code, told.stdout) == (0, "")
    assert "within a second" in told.stderr
    assert json.loads(typed("key", "revoke", key_id, "--json").stdout)["state"] == "revoked"
    for words in (("update", key_id, "--rpm", "1"), ("rotate", key_id)):
        refused = typed("key", *words)
        assert refused.exit_code == 2
        assert "stays so" in refused.stderr
    assert typed("key", "create", "--name", "game").exit_code == 0, "its name is free again"


@pytest.mark.parametrize(
    ("words", "english", "japanese"),
    [
        (("show", "nobody"), "There is no key", "APIキーはありません"),
        (("create", "--name", " x"), "'name' must be", "'name' は、"),
        (("create", "--name", "game"), "named 'game' already", "すでにあります"),
        (("create", "--name", "owner"), "Choose another name", "別の名前に"),
        (("create", "--name", "y", "--project", "a\nb"), "'project' must be", "'project' は、"),
        (("update", "game"), "Nothing is to change", "指定されていません"),
        (("rotate", "game", "--grace", "5y"), "--grace: '5y'", "--grace: '5y'"),
        (("rotate", "owner", "--grace", "5y"), "--grace: '5y'", "--grace: '5y'"),
        (("rotate", "owner", "--grace", "1h"), "--grace: the owner's old key", "--grace: 所有者の"),
    ],
)
def test_a_mistake_is_told_in_either_language_and_changes_nothing(
    typed: Typed, tmp_path: Path, words: tuple[str, ...], english: str, japanese: str
) -> None:
    typed("key", "create", "--name", "game")
    before = rows(tmp_path)
    for lang, says in (("en", english), ("ja", japanese)):
        told = typed("key", *words, lang=lang)
        assert (told.exit_code, told.stdout) == (2, "")
        assert says in told.stderr
    assert rows(tmp_path) == before


def test_a_key_for_a_model_that_nobody_has_is_made_and_told(
    monkeypatch: pytest.MonkeyPatch, typed: Typed, tmp_path: Path
) -> None:
    (tmp_path / "c.yaml").write_text("aliases: {fast: embedded}\n", encoding="utf-8")
    typed = typist(monkeypatch, tmp_path, HAYATE_CONFIG=str(tmp_path / "c.yaml"))
    made = typed("key", "create", "--name", "game", "--models", "fst,fast")
    assert made.exit_code == 0
    assert "named 'fst' at the moment" in made.stderr
    assert "'fast'" not in made.stderr
    told = json.loads(typed("key", "update", "game", "--default-model", "x", "--models", "all", "--json").stdout)
    assert [("'x'" in each) for each in told["warnings"]] == [True]


def test_on_a_folder_where_no_gateway_has_been_only_create_makes_a_store(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    typed = typist(monkeypatch, tmp_path)
    for words in (("list",), ("show", "x"), ("update", "x", "--rpm", "1"), ("revoke", "x"), ("rotate", "x")):
        told = typed("key", *words)
        assert told.exit_code == 2
        assert "The gateway makes it at its first start" in told.stderr
    assert not (tmp_path / "data").exists()
    made = typed("key", "create", "--name", "game", lang="ja")
    assert made.exit_code == 0
    assert "まだゲートウェイが起動されていません" in made.stderr


def test_a_store_that_another_program_holds_is_told_in_a_line_and_nothing_is_changed(
    typed: Typed, tmp_path: Path
) -> None:
    typed("key", "create", "--name", "game")
    before = rows(tmp_path)
    other = sqlite3.connect(tmp_path / "data" / "hayate.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for words in (("create", "--name", "bot"), ("revoke", "game")):
        told = typed("key", *words)
        assert (told.exit_code, told.stdout) == (2, "")
        assert "is held by another program" in told.stderr
    other.execute("ROLLBACK")
    other.close()
    assert rows(tmp_path) == before


@pytest.mark.parametrize(
    ("lang", "says"), [("en", "is held by another program"), ("ja", "別のプログラムが使用しています")]
)
def test_a_store_that_another_program_holds_is_one_line(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lang: str, says: str
) -> None:
    typed("key", "create", "--name", "game")
    monkeypatch.setattr(engine_of, "__kwdefaults__", {"busy_s": 0.01})
    with closing(sqlite3.connect(tmp_path / "data" / "hayate.db", isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        told = typed("key", "create", "--name", "bot", lang=lang)
    assert (told.exit_code, told.stdout) == (2, "")
    assert says in told.stderr
    assert "Traceback" not in told.stderr
