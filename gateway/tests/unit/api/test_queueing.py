"""How a call wants to wait, by its headers and by its key."""

from __future__ import annotations

import pytest

from hayate.access.terms import FREE, MAX_DEADLINE_MS, Defaults, Terms
from hayate.api.queueing import wanted_waits
from hayate.downstream.client import Client
from hayate.errors import InvalidRequest
from hayate.policy.waits import PLAIN, Waits
from hayate.relay.ticker import Ticker
from tests.unit.downstream.channel import Channel

pytestmark = pytest.mark.anyio


def client() -> Client:
    return Channel(Ticker()).client


def waits(key: Terms = FREE, /, **headers: str) -> Waits:
    fields = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return wanted_waits(fields, key, client())


async def test_most_calls_say_nothing_and_share_one_value() -> None:
    assert waits() is PLAIN
    assert waits(accept="*/*") is PLAIN


async def test_a_key_says_what_its_calls_weigh_and_how_long_they_are_of_use() -> None:
    key = Terms(weight=5, defaults=Defaults(deadline_ms=1500))
    assert waits(key) == Waits(5, deadline_s=1.5)
    assert waits(key, x_deadline_ms="200") == Waits(5, deadline_s=0.2)
    assert waits(key, x_hayate_priority="low") == Waits(5, low=True, deadline_s=1.5)


async def test_who_asks_for_it_is_told_where_it_stands() -> None:
    asked = client()
    assert wanted_waits({b"x-hayate-queue": b"events"}, FREE, asked).tell == asked.stands
    assert waits(x_hayate_queue="none").tell is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("x-deadline-ms", value)
            for value in ("0", "-1", "1.5", "soon", "", "1e3", str(MAX_DEADLINE_MS + 1), "9" * 5000)
        ),
        *(("x-hayate-priority", value) for value in ("high", "", "LOW", "10")),
        *(("x-hayate-queue", value) for value in ("yes", "", "EVENTS")),
    ],
)
async def test_what_is_none_of_these_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        waits(**{name: value})
    assert refused.value.param == name
    assert name in refused.value.english.lower()
    assert name in refused.value.japanese.lower()


async def test_the_most_that_may_be_said_is_taken() -> None:
    assert waits(x_deadline_ms=str(MAX_DEADLINE_MS)).deadline_s == MAX_DEADLINE_MS / 1000
    assert not waits(x_hayate_priority="normal").low
