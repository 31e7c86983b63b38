"""What the event loop may read, and what it may not."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hayate.store.quick import MAX_BYTES, Quick, TakesLong, expect
from hayate.store.sqlite import connect


def test_much_is_not_for_the_loop(path: Path, connection: sqlite3.Connection) -> None:
    with closing(connect(path, readonly=True, factory=Quick)) as quick:
        expect(quick, MAX_BYTES)
        with pytest.raises(TakesLong):
            expect(quick, MAX_BYTES + 1)
    expect(connection, MAX_BYTES + 1)
