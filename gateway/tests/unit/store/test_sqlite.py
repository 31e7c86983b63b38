"""How the file is opened, and what is refused by name and left as it was."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from hayate.store.migrate import open_file
from hayate.store.schema import HEAD, VERSIONS
from hayate.store.sqlite import StoreRefused, beside, connect, is_ours, prepare_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "hayate.db"


def refusal(path: Path) -> StoreRefused:
    with pytest.raises(StoreRefused) as error:
        open_file(path)
    assert str(path) in error.value.text("en")
    assert str(path) in error.value.text("ja")
    return error.value


def test_a_new_file_is_its_owners_alone_with_a_log_beside_it(path: Path) -> None:
    assert prepare_file(path, ("0001",)) is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_a_file_that_is_ours_says_where_it_stands(path: Path) -> None:
    open_file(path)
    assert prepare_file(path, VERSIONS) == HEAD


@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, os.urandom(8192), b"SQLite format 3\0" + b"\xff" * 4000]
)
def test_a_damaged_file_is_refused_and_left(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    assert "damaged" in refusal(path).text("en")
    assert path.read_bytes() == content


def with_keys(path: Path) -> bytes:
    """A store with as many keys as fill some pages; its file as it is on the disk."""
    open_file(path)[0].dispose()
    columns = "id, digest, name, project, version, created_ms, terms"
    with closing(sqlite3.connect(path)) as connection:
        rows = [(f"{each:012x}", b"d" * 32, "n" * 40, "p", 1, 0, "{}") for each in range(500)]
        connection.executemany(f"INSERT INTO keys ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        connection.commit()
    return path.read_bytes()


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.95])
def test_a_file_that_has_lost_its_end_is_refused_and_left(path: Path, kept: float) -> None:
    whole = with_keys(path)
    cut = whole[: int(len(whole) * kept) // 4096 * 4096]
    path.write_bytes(cut)
    assert "damaged" in refusal(path).text("en")
    assert path.read_bytes() == cut


def test_a_file_whose_keys_can_not_be_read_is_refused_and_left(path: Path) -> None:
    whole = with_keys(path)
    spoiled = bytearray(whole)
    at = whole.index(b"n" * 40, len(whole) // 2)
    spoiled[at // 4096 * 4096 : at // 4096 * 4096 + 4096] = b"\xaa" * 4096
    path.write_bytes(spoiled)
    assert "damaged" in refusal(path).text("en")
    assert path.read_bytes() == spoiled
    path.write_bytes(whole)
    open_file(path)


def test_another_programs_log_is_not_even_moved_into_its_file(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE notes (text)")
        connection.commit()
        left = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    for name, content in left.items():  # as after a crash: closing has tidied up
        (path.parent / name).write_bytes(content)
    (path.parent / "hayate.db-shm").unlink()
    refusal(path)
    assert path.read_bytes() == left["hayate.db"]
    assert (path.parent / "hayate.db-wal").read_bytes() == left["hayate.db-wal"]


def test_a_disk_that_is_full_is_named_as_the_reason(path: Path) -> None:
    code = """
import resource, signal, sys
from pathlib import Path
from hayate.store.migrate import open_file
from hayate.store.sqlite import StoreRefused
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
try:
    open_file(Path(sys.argv[1]))
except StoreRefused as error:
    print(error.text("en"))
"""
    said = subprocess.run([sys.executable, "-c", code, str(path)], check=True, capture_output=True, text=True).stdout
    assert said.startswith(f"{path} can't be read and written: ")
    open_file(path)  # what it left is made whole once there is room


def test_another_programs_database_is_refused_and_left(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")
        connection.commit()
    before = path.read_bytes()
    assert "another program" in refusal(path).text("en")
    assert path.read_bytes() == before


def test_an_empty_file_of_ours_is_known_as_ours_by_its_header_alone(path: Path) -> None:
    prepare_file(path, ("0001",))
    assert is_ours(path)
    assert not is_ours(_made_by_another(path.with_name("other.db")))


def _made_by_another(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")
        connection.commit()
    return path


def test_a_file_that_others_may_read_is_taken_from_them(path: Path) -> None:
    path.parent.mkdir()
    before = os.umask(0)
    try:
        open_file(path)
        path.chmod(0o644)
        with closing(connect(path)) as connection:  # its log is as readable as the file
            connection.execute("INSERT INTO names (name) VALUES ('x')")
            assert {stat.S_IMODE(each.stat().st_mode) for each in beside(path)} == {0o644}
            open_file(path)
            assert {stat.S_IMODE(each.stat().st_mode) for each in (path, *beside(path))} == {0o600}
    finally:
        os.umask(before)


def test_to_look_at_a_file_gives_up_no_lock_of_this_process(path: Path) -> None:
    open_file(path)
    code = f"import sqlite3; sqlite3.connect({str(path)!r}, timeout=0, isolation_level=None).execute('BEGIN IMMEDIATE')"
    with closing(connect(path)) as holder:
        holder.execute("PRAGMA journal_mode = DELETE")  # where locks are on the file itself
        holder.execute("BEGIN IMMEDIATE")
        assert is_ours(path)
        with pytest.raises(StoreRefused):  # the journal's form can't be changed now
            open_file(path)
        assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode != 0


def test_a_link_to_a_file_elsewhere_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "hayate.db"
    link.symlink_to(tmp_path / "disk" / "store.db")
    open_file(link)
    assert open_file(link)[1] is None
    assert link.is_symlink()
    assert is_ours(tmp_path / "disk" / "store.db")


def test_a_newer_file_is_refused_with_its_version(path: Path) -> None:
    engine, _ = open_file(path)
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    assert "schema 9999" in refusal(path).text("en")


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    assert "HAYATE_DATA" in refusal(tmp_path / "data" / "hayate.db").text("en")


def test_a_folder_in_the_files_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="it is a folder"):
        prepare_file(tmp_path, ("0001",))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_another_program_holds_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "__kwdefaults__", (connect.__kwdefaults__ or {}) | {"busy_s": 0.05})
    open_file(path)
    with closing(sqlite3.connect(path)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        holder.execute("CREATE TABLE held (x)")
        assert "held by another program" in refusal(path).text("en")
