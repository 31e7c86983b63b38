"""Money is exact: no sum of any prices and tokens is off by a digit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from hayate.settings import Price
from hayate.store.costs import added, cost, exact, rounded
from tests.support.tables import table

amounts = st.decimals(0, 1_000_000_000, places=12)
tokens = st.integers(0, 2**62)


@given(st.lists(st.tuples(amounts, amounts, amounts, tokens, tokens, tokens), min_size=1, max_size=20))
def test_sums_are_those_of_fractions(calls: list[tuple[Decimal, Decimal, Decimal, int, int, int]]) -> None:
    found: Decimal | None = None
    expected = Fraction(0)
    for price_in, price_cached, price_out, fresh, cached, out in calls:
        price = Price(input=price_in, cached_input=price_cached, output=price_out)
        found = added(found, cost(price, fresh + cached, cached, out))
        sum_of_parts = fresh * Fraction(price_in) + cached * Fraction(price_cached) + out * Fraction(price_out)
        expected += sum_of_parts / 1_000_000
    assert found is not None
    assert Fraction(found) == expected
    assert Fraction(exact(found) or "") == expected


def test_what_floats_get_wrong() -> None:
    price = Price(input=Decimal("0.1"), output=Decimal("0.2"))
    assert exact(cost(price, 1_000_000, 0, 1_000_000)) == "0.3"
    assert exact(cost(price, 1, 0, 1)) == "0.0000003"


def test_cached_tokens_are_among_those_that_went_in() -> None:
    price = Price(input=Decimal(10), cached_input=Decimal(1), output=Decimal(0))
    assert exact(cost(price, 1_000_000, 400_000, 5)) == "6.4"
    assert exact(cost(Price(input=Decimal(10)), 1_000_000, 400_000, 5)) == "10"
    assert exact(cost(price, 100_000, 400_000, 5)) == "0.1"  # an engine that says more is not believed


def test_what_is_not_known_adds_nothing() -> None:
    assert added(None, None) is None
    assert added(None, Decimal(1)) == added(Decimal(1), None) == Decimal(1)


@table(
    ("amount", "shown", "for_people"),
    [
        (None, None, "-"),
        (Decimal(0), "0", "0.0000"),
        (Decimal("1E+3"), "1000", "1,000.0000"),
        (Decimal("12.50"), "12.5", "12.5000"),
        (Decimal("0.00000015"), "0.00000015", "<0.0001"),
        (Decimal("1234567.89012"), "1234567.89012", "1,234,567.8901"),
    ],
)
def test_how_it_is_written(amount: Decimal | None, shown: str | None, for_people: str) -> None:
    assert (exact(amount), rounded(amount)) == (shown, for_people)
