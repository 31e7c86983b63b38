"""How a mistake in a request is told: the field, what it must be, and what was given, cut short."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import InvalidRequest
from hayate.wire.refusals import given_twice, missing, named, over_cap, shown, wrong, wrong_value
from tests.support.tables import table

TOLD = {
    "wrong": (wrong("n", "a whole number", "整数"), "'n' must be a whole number."),
    "missing": (missing("n"), "'n' is missing."),
    "twice": (given_twice("n"), "'n' is given twice."),
    "a value": (wrong_value("n", "a whole number", "整数", "x"), "'n' must be a whole number, not \"x\"."),
    "a cap": (over_cap("n", 4, 9, "safety.max_n"), "'n' may be at most 4 here, not 9 (safety.max_n)."),
}


@table(("error", "said"), TOLD.values())
def test_the_field_is_named_in_both_languages_and_for_programs(error: InvalidRequest, said: str) -> None:
    assert (error.status, error.param, error.english) == (400, "n", said)
    assert "'n'" in error.japanese
    assert not error.japanese.isascii()


@table(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1, "1"),
        (-(10**20), "-100000000000000000000"),
        (1.5, "1.5"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        ("x", '"x"'),
        ('a "b"\n', '"a \\"b\\"\\n"'),
        ("日本語", '"日本語"'),
        ([1, 2], "a list"),
        ({"secret": 1}, "an object"),
    ],
)
def test_a_value_is_shown_as_json_has_it_and_a_large_one_by_its_kind(value: Any, text: str) -> None:
    assert shown(value) == text


def test_what_is_long_is_cut_and_a_number_of_many_digits_is_not_written_out() -> None:
    assert shown("x" * 10_000_000) == '"' + "x" * 39 + "…"
    assert shown(10**1_000_000) == "a number with many digits"
    assert shown(10**70) == "1" + "0" * 39 + "…"


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_was_given_it_is_told_on_one_short_line(value: Any) -> None:
    assert len(shown(value)) <= 41
    assert "\n" not in shown(value)
    assert "\r" not in wrong_value("n", "x", "x", value).english


@table(
    ("value", "kind"),
    [([], "a list"), ({}, "an object"), ("", "a string"), (False, "true or false"), (None, "null"), (1.5, "a number")],
)
def test_a_kind_has_a_name_that_people_use(value: Any, kind: str) -> None:
    assert named(value) == kind
