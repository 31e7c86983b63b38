"""The id that an answer, its call in the log and the engine share: the caller's own where that is usable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.downstream.request_id import RequestIds, answer_id, is_usable
from tests.support.tables import table

LONG = b"x" * 128


@pytest.mark.parametrize("given_id", [b"1", b"mine 7", b'~!"#', LONG])
def test_printable_ascii_of_bearable_length_is_usable(given_id: bytes) -> None:
    assert is_usable(given_id)
    assert answer_id([(b"x-request-id", given_id)]) == given_id


@table("given_id", [b"", b" ", b" a", b"a ", b"a\tb", b"a\n", b"\x7f", "日".encode(), LONG + b"x"])
def test_anything_else_is_replaced(given_id: bytes) -> None:
    assert not is_usable(given_id)
    made = answer_id([(b"x-request-id", given_id)])
    assert is_usable(made)
    assert made != given_id


def test_an_answer_that_nobody_named_has_an_id_of_its_own() -> None:
    assert len({answer_id([]) for _ in range(100)}) == 100


def test_calls_ids_are_unique_over_gateways() -> None:
    gateways = RequestIds(), RequestIds()
    made = [each.new() for each in gateways for _ in range(1000)]
    assert len(set(made)) == 2000
    assert all(is_usable(each.encode()) for each in made)


@given(st.lists(st.sampled_from([b"a", b"b"]), max_size=20))
def test_no_two_calls_under_way_are_one_to_an_engine(names: list[bytes]) -> None:
    ids = RequestIds()
    taken = [ids.take(name) for name in names]
    assert len(set(taken)) == len(taken)
    assert all(each.startswith(name) for each, name in zip(taken, names, strict=True))


def test_a_name_is_free_again_when_its_call_has_ended_and_not_before() -> None:
    ids = RequestIds()
    first, second = ids.take(b"a"), ids.take(b"a")
    ids.release(second)
    assert ids.take(b"a") != b"a", "the call that has the name goes on"
    ids.release(first)
    assert ids.take(b"a") == b"a"
    ids.release(b"nobody's")


def test_no_id_tells_another_nor_how_many_there_were() -> None:
    ids = RequestIds()
    made = [ids.new() for _ in range(1000)]
    assert {len(each) for each in made} == {20}
    for part in (slice(0, 5), slice(5, 10), slice(10, 15), slice(15, 20)):
        assert len({each[part] for each in made}) > 990
    assert made != sorted(made)
    assert made != sorted(made, reverse=True)
