"""`hayate db …`: the file is checked, copied while it is written to, made smaller and brought up; nothing else is overwritten."""

from __future__ import annotations

import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from hayate.store.conversations import begin
from hayate.store.hidden import hide, hide_unfinished
from hayate.store.sqlite import connect
from tests.unit.tools.typist import Typed, typist


@pytest.fixture
def kept(typed: Typed, tmp_path: Path) -> Path:
    """The store's file, with two keys in it."""
    for name in ("game", "bot"):
        typed("key", "create", "--name", name)
    return tmp_path / "data" / "hayate.db"


def names(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    found = [name for (name,) in connection.execute("SELECT name FROM keys ORDER BY created_ms")]
    connection.close()
    return found


@pytest.mark.parametrize(
    ("lang", "says"),
    [
        ("en", ": sound. calls: 0, keys: 2, conversations: 1, "),
        ("ja", "問題ありません。呼び出し0件、APIキー2件、会話1件、"),
    ],
)
def test_a_sound_file_is_said_to_be(typed: Typed, kept: Path, lang: str, says: str) -> None:
    with closing(connect(kept)) as connection:
        begin(connection, "game", 1.0)
        begin(connection, "game", 1.0, listed=False)
        hide(connection, begin(connection, "game", 1.0))
        hide_unfinished(connection, begin(connection, "game", 1.0))
    told = typed("db", "check", lang=lang)
    assert (told.exit_code, told.stderr) == (0, "")
    assert told.stdout.startswith(str(kept))
    assert says in told.stdout
    assert "KiB" in told.stdout


def test_a_damaged_page_is_found_and_the_way_out_is_named(typed: Typed, kept: Path) -> None:
    typed("db", "vacuum")
    connection = sqlite3.connect(kept)
    (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'calls'").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with kept.open("r+b") as file:  # not the keys', which are looked at whenever the file is opened
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    for lang, says in (("en", "put a backup in its place"), ("ja", "バックアップに置き換えて")):
        told = typed("db", "check", lang=lang)
        assert (told.exit_code, told.stdout) == (1, "")
        assert says in told.stderr


def test_a_file_that_is_none_of_ours_is_refused_by_name(typed: Typed, kept: Path) -> None:
    kept.write_bytes(b"not a database" * 1000)
    for verb in ("check", "backup", "vacuum", "migrate"):
        told = typed("db", verb)
        assert told.exit_code == 2
        assert str(kept) in told.stderr
    assert kept.read_bytes() == b"not a database" * 1000


def test_a_backup_is_whole_and_for_its_owner_alone(typed: Typed, kept: Path, tmp_path: Path) -> None:
    writing = sqlite3.connect(kept)
    writing.execute("BEGIN IMMEDIATE")
    writing.execute("UPDATE keys SET name = 'half done' WHERE name = 'bot'")
    told = typed("db", "backup", str(tmp_path / "copies" / "one.db"))
    writing.rollback()
    writing.close()
    assert (told.exit_code, told.stdout) == (0, f"{tmp_path / 'copies' / 'one.db'}\n")
    assert names(tmp_path / "copies" / "one.db") == ["game", "bot"]
    assert stat.S_IMODE((tmp_path / "copies" / "one.db").stat().st_mode) == 0o600
    typed("key", "create", "--name", "third")
    assert typed("db", "backup", str(tmp_path / "copies" / "one.db")).exit_code == 0, "an older copy gives way"
    assert names(tmp_path / "copies" / "one.db") == ["game", "bot", "third"]
    into = typed("db", "backup", str(tmp_path / "copies"))
    assert into.stdout == f"{tmp_path / 'copies' / 'hayate.db'}\n"


def test_a_backup_without_a_name_lies_beside_the_file(typed: Typed, kept: Path) -> None:
    copy = Path(typed("db", "backup").stdout.strip())
    assert copy.parent == kept.parent
    assert copy.name.startswith("hayate-20")
    assert names(copy) == ["game", "bot"]


def test_a_backup_takes_no_other_files_place(typed: Typed, kept: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear", encoding="ascii")
    for target in (tmp_path / "letter.txt", kept):
        for lang, says in (("en", "is no backup"), ("ja", "上書きしません")):
            told = typed("db", "backup", str(target), lang=lang)
            assert (told.exit_code, told.stdout) == (2, "")
            assert says in told.stderr
    assert (tmp_path / "letter.txt").read_text(encoding="ascii") == "dear"


def test_a_place_that_can_not_be_written_is_one_line(typed: Typed, kept: Path) -> None:
    for lang, says in (("en", "it does not exist"), ("ja", "存在しません")):
        told = typed("db", "backup", "/proc/none.db", lang=lang)
        assert told.exit_code == 2
        assert says in told.stderr
        assert "Errno" not in told.stderr


def test_what_is_free_is_given_back(typed: Typed, kept: Path) -> None:
    connection = sqlite3.connect(kept)
    connection.execute("CREATE TABLE ballast (x)")
    connection.execute("INSERT INTO ballast VALUES (zeroblob(3000000))")
    connection.commit()
    connection.execute("DROP TABLE ballast")
    connection.commit()
    connection.close()
    told = typed("db", "vacuum")
    assert told.exit_code == 0
    assert re.search(r" [23]\.\d MiB before", told.stdout)
    assert "KiB now" in told.stdout
    assert names(kept) == ["game", "bot"]


def test_a_file_of_this_release_is_up_to_date(typed: Typed, kept: Path) -> None:
    assert typed("db", "migrate").stdout == f"{kept} is up to date.\n"
    assert "最新です" in typed("db", "migrate", lang="ja").stdout
    assert [each.name for each in kept.parent.glob("*.before-*")] == []


@pytest.mark.parametrize("verb", ["check", "backup", "vacuum", "migrate"])
def test_where_no_gateway_has_been_there_is_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, verb: str
) -> None:
    told = typist(monkeypatch, tmp_path)("db", verb)
    assert (told.exit_code, told.stdout) == (2, "")
    assert "The gateway makes it at its first start" in told.stderr
    assert not (tmp_path / "data").exists()
