"""The documentation's table says what the suite holds the adapters to."""

from __future__ import annotations

from tests.contract.declared import ENGINES, FEATURES
from tests.contract.table import HEADS, PAGE, table, written


def test_the_page_has_the_tables_of_what_is_declared() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page), "run: python -m tests.contract.table --write"


def test_every_engine_and_feature_has_its_cell() -> None:
    for language in HEADS:
        rows = table(language).splitlines()
        assert len(rows) == len(FEATURES) + 2
        assert {row.count("|") for row in rows} == {len(ENGINES) + 2}
