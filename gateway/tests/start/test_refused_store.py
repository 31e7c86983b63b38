"""A store that can't be used as it is: the start says so in one line, with what to do, and leaves everything as it was."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from hayate.store.migrate import open_file
from hayate.tools.embedded.weights import tiny
from tests.start.nursery import nursery

SOURCE = Path(__file__).parents[2] / "src"
ENGINE = {
    "serve": {"LLM_BACKEND": "openai", "BACKEND_URL": "http://127.0.0.1:9"},
    "up": {"MODEL": str(tiny().path)},
}


def damaged(path: Path) -> None:
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)


def cut(path: Path) -> None:
    open_file(path)[0].dispose()
    path.write_bytes(path.read_bytes()[:8192])


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")
        connection.commit()


def newer(path: Path) -> None:
    open_file(path)[0].dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()


def locked(path: Path) -> None:
    open_file(path)[0].dispose()
    path.chmod(0o400)


REFUSED: dict[str, tuple[Callable[[Path], None], tuple[str, str]]] = {
    "damaged": (damaged, ("is damaged or no database. It was left as it is: restore a backup", "壊れているか")),
    "cut": (cut, ("is damaged or no database. It was left as it is: restore a backup", "バックアップ")),
    "another program's": (foreign, ("is another program's database. It was left as it is", "別のプログラム")),
    "newer": (newer, ("was written by a newer release (schema 9999", "新しいバージョン")),
    "not ours to write": (locked, ("can't be read and written: permission denied. Make that possible", "読み書き")),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir()}


@pytest.mark.parametrize("verb", ENGINE)
@pytest.mark.parametrize("kind", REFUSED)
def test_a_store_that_is_refused_is_one_line_and_nothing_is_made_or_changed(
    tmp_path: Path, verb: str, kind: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    make, says = REFUSED[kind]
    make(data / "hayate.db")
    before = contents(data)
    for lang, said in zip(("C.UTF-8", "ja_JP.UTF-8"), says, strict=True):
        env = {"PATH": os.environ["PATH"], "LANG": lang, "HAYATE_DATA": str(data), "HAYATE_PORT": "0", **ENGINE[verb]}
        with nursery() as born:
            process = born([verb], env, tmp_path, plain=True)
            assert process.until() == 2
            [line] = process.said().splitlines()
        assert str(data / "hayate.db") in line
        assert said in line
        assert contents(data) == before


@pytest.mark.parametrize("verb", ENGINE)
def test_where_no_file_can_grow_no_store_is_made_and_the_next_start_makes_it(tmp_path: Path, verb: str) -> None:
    keys = {"HAYATE_API_KEY": "sk-given-0123456789", "HAYATE_ADMIN_KEY": "sk-given-admin-0123456789"}
    data = tmp_path / "data"
    env = {"PATH": os.environ["PATH"], "HAYATE_DATA": str(data), "HAYATE_PORT": "0", **ENGINE[verb], **keys}
    with nursery() as born:
        process = born([verb], env, tmp_path, full=True)
        assert process.until() == 2
        [line] = process.said().splitlines()
    assert f"{data / 'hayate.db'} can't be read and written" in line
    open_file(data / "hayate.db")


def test_another_asgi_server_gets_the_line_too(tmp_path: Path) -> None:
    damaged(tmp_path / "hayate.db")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "HAYATE_DATA": str(tmp_path), **ENGINE["serve"]}
    loaded = subprocess.run(
        [sys.executable, "-c", "import main"], env=env, capture_output=True, check=False, text=True, cwd=tmp_path
    )
    assert loaded.returncode == 1
    [line] = loaded.stderr.splitlines()
    assert "is damaged or no database" in line
    assert [each.name for each in tmp_path.iterdir()] == ["hayate.db"]
