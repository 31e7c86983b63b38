"""Rows in as few statements as can be."""

from __future__ import annotations

import pytest

from hayate.store.pieces import COUNTS, MOST, pieces, statements


@pytest.mark.parametrize("count", range(3 * MOST))
def test_every_row_is_in_one_statement(count: int) -> None:
    found = [*pieces(count)]
    assert [row for first, many in found for row in range(first, first + many)] == [*range(count)]
    assert all(many in COUNTS for _, many in found)
    assert len(found) == count // MOST + (count % MOST).bit_count()


def test_there_is_a_statement_for_each_count() -> None:
    found = statements("INSERT INTO t (a, b)", "(?, ?)", " ON CONFLICT DO NOTHING")
    assert tuple(found) == COUNTS
    assert found[2] == "INSERT INTO t (a, b) VALUES (?, ?), (?, ?) ON CONFLICT DO NOTHING"
