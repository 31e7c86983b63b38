"""The process that overwrites what is left of rows: it says when it is done, and ends with who began it."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from hayate.store.clearing import Clearing
from hayate.store.sqlite import connect
from tests.support.processes import children
from tests.support.waiting import eventually
from tests.unit.store.test_gaps import LEAVES_SOMETHING, file_of, left_of


@pytest.mark.anyio
async def test_the_process_says_when_it_is_done(tmp_path: Path) -> None:
    path, clearing = tmp_path / "any.db", Clearing()
    gone = file_of(path, LEAVES_SOMETHING[3])
    assert clearing.is_done is None
    clearing.begin(path)
    await eventually(lambda: clearing.is_done is not None)
    assert clearing.is_done
    assert left_of(gone, path) == []
    clearing.end()
    assert clearing.is_done is None


def test_the_process_ends_with_who_began_it(tmp_path: Path) -> None:
    path, clearing = tmp_path / "any.db", Clearing()
    file_of(path, LEAVES_SOMETHING[3])
    with closing(connect(path)) as writer, closing(connect(path, readonly=True)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM items").fetchall()
        writer.execute("DELETE FROM items WHERE number > 5")
        others = set(children(os.getpid()))
        clearing.begin(path)  # it can't do anything as long as somebody reads
        (child,) = set(children(os.getpid())) - others
        assert clearing.is_done is None
        clearing.end()
        assert child not in children(os.getpid())


@pytest.mark.anyio
@pytest.mark.parametrize("content", [None, b"no database, but as long as the head of one" * 3], ids=["none", "another"])
async def test_what_is_no_database_is_left_as_it_is(tmp_path: Path, content: bytes | None) -> None:
    path, clearing = tmp_path / "any.db", Clearing()
    if content is not None:
        path.write_bytes(content)
    clearing.begin(path)
    await eventually(lambda: clearing.is_done is not None)
    assert clearing.is_done is False
    assert (path.read_bytes() if path.exists() else None) == content
