"""What the document says of who may ask is what the guards do."""

from __future__ import annotations

from hayate.access import guards
from hayate.api.openapi_security import GUARDS, SCHEMES, WHOSE
from hayate.api.routes import ROUTES


def test_every_guard_of_the_table_is_told_of() -> None:
    assert {row.guard for row in ROUTES} == set(GUARDS)
    assert set(guards.OPERATORS) < set(GUARDS)


def test_only_schemes_that_there_are_are_named() -> None:
    assert {whose for _, whose in GUARDS.values() if whose} == set(WHOSE)
    assert {name for _, takes in WHOSE.values() for each in takes for name in each} == set(SCHEMES)
