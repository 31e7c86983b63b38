"""What calls cost, in every group: by the name that was called, else by the deployment; and what has no price is counted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal

import pytest
from sqlalchemy import Connection

from hayate.settings import Price
from hayate.store.costs import exact
from hayate.store.groups import By
from hayate.store.store import Store
from hayate.store.usage import Filter, used
from hayate.store.views import usage_answer
from tests.unit.store.conftest import Make

DAY = 1_799_971_200.0  # midnight, UTC
MILLION = 1_000_000
PRICES = {
    "qwen": Price(input=Decimal("0.1"), cached_input=Decimal("0.01"), output=Decimal("0.2")),
    "smart": Price(output=Decimal(7)),
    "nobody": Price(input=Decimal(99)),
}


@pytest.fixture
def connection(store: Store, make: Make) -> Iterator[Connection]:
    store.calls_ended(
        [
            make(ended_at=DAY + 1, key="game", tokens=(MILLION, MILLION // 2, MILLION)),  # 0.05 + 0.005 + 0.2
            make(ended_at=DAY + 2, key="game", model="smart", tokens=(MILLION, 0, 1)),  # 0.000007
            make(ended_at=DAY + 3, key="game", deployment="gemma", tokens=(5, 0, 5)),  # no price
            make(ended_at=DAY + 4, key="bot", model="smart", deployment="gemma", tokens=(5, 0, MILLION)),  # 7
            make(ended_at=DAY + 5, key="bot", deployment="", tokens=(0, 0, 0), status=429),  # used nothing
            make(ended_at=DAY + 90_000, key="old", deployment="gemma", tokens=(1, 0, 0)),  # no price
        ]
    )
    deadline = time.monotonic() + 60
    while store.writer.backlog:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    with store.engine.connect() as found:
        yield found


@pytest.mark.parametrize(
    ("by", "costs"),
    [
        ("key", {"game": ("0.255007", 1), "bot": ("7", 0), "old": (None, 1)}),
        ("model", {"fast": ("0.255", 2), "smart": ("7.000007", 0)}),
        ("deployment", {"qwen": ("0.255007", 0), "gemma": ("7", 2), "": (None, 0)}),
        ("day", {int(DAY * 1000): ("7.255007", 1), int(DAY + 86_400) * 1000: (None, 1)}),
    ],
)
def test_each_group_has_its_cost(
    connection: Connection, by: By, costs: dict[str | int, tuple[str | None, int]]
) -> None:
    found = used(connection, by, Filter(), prices=PRICES)
    assert {each.name: (exact(each.cost), each.unpriced) for each in found} == costs


def test_a_filter_counts_for_costs_too(connection: Connection) -> None:
    (found,) = used(connection, "project", Filter(key="bot"), prices=PRICES)
    assert (exact(found.cost), found.unpriced) == ("7", 0)


def test_without_prices_nothing_is_said_of_costs(connection: Connection) -> None:
    found = used(connection, "key", Filter())
    assert {(each.cost, each.unpriced) for each in found} == {(None, 0)}


def test_it_is_shown_in_its_currency_as_text(connection: Connection) -> None:
    found = used(connection, "key", Filter(key="game"), prices=PRICES)
    answer = usage_answer("key", (DAY, DAY + 9), found, "USD")
    assert answer.currency == "USD"
    assert '"cost":"0.255007"' in answer.model_dump_json()
