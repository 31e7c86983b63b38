"""Usage as it is shown: days and hours by their beginning, words as they are, and costs where there are prices."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from hayate.store.usage import Used
from hayate.store.views import usage_answer, used_answer

MIDNIGHT = 1_799_971_200
USED = Used("fast", 5, 1, 100, 10, 50, 2)


def test_a_group_is_shown_with_all_that_it_adds_up_to() -> None:
    shown = used_answer(USED).model_dump()
    assert (shown["name"], shown["calls"], shown["failed"], shown["inexact_calls"]) == ("fast", 5, 1, 2)
    assert (shown["input_tokens"], shown["cached_tokens"], shown["output_tokens"]) == (100, 10, 50)
    assert len(shown) > len(fields(Used)), "nothing of it is left out"


@pytest.mark.parametrize(("at", "name"), [(MIDNIGHT, "2027-01-15T00:00:00Z"), (0, "1970-01-01T00:00:00Z")])
def test_a_day_or_an_hour_is_shown_by_its_beginning_in_utc(at: int, name: str) -> None:
    assert used_answer(Used(at * 1000, 1, 0, 1, 0, 1, 0)).name == name


def test_the_whole_says_by_what_and_from_when_until_when() -> None:
    answer = usage_answer("model", (MIDNIGHT, MIDNIGHT + 60), [USED, USED], "JPY")
    assert (answer.by, len(answer.data)) == ("model", 2)
    assert answer.since == datetime.fromtimestamp(MIDNIGHT, UTC)
    assert answer.until == datetime.fromtimestamp(MIDNIGHT + 60, UTC)
    assert answer.currency == "JPY"
    assert usage_answer("day", (0.0, 1.0), []).data == []


def test_a_key_is_labelled_by_its_name_and_everything_else_by_itself() -> None:
    labels = {"a1b2c3d4e5f6": "game"}
    for name, label in (("a1b2c3d4e5f6", "game"), ("main", "main")):
        (shown,) = usage_answer("key", (0.0, 1.0), [replace(USED, name=name)], labels=labels).data
        assert (shown.name, shown.label) == (name, label)


def test_what_has_a_price_shows_it_exactly_and_what_has_none_is_counted() -> None:
    shown = used_answer(replace(USED, cost=Decimal("0.1") + Decimal("0.2"), unpriced=3))
    assert (shown.cost, shown.unpriced_calls) == ("0.3", 3)
    assert used_answer(USED).cost is None
