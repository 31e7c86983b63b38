"""Whatever a gateway told is read as what it should be, or left open."""

from __future__ import annotations

from typing import Any

from hayate.tools.lenient import count_in, number_in, objects_in, text_in, texts_in
from tests.support.tables import table

ANYTHING = [None, True, False, 0, 1, -3, 2.5, 1e13, 10**400, float("nan"), "", "x", [], ["x"], {}, {"a": 1}]


@table(
    ("read", "kept"),
    [
        (text_in, ["x"]),
        (number_in, [0, 1, -3, 2.5]),
        (count_in, [0, 1, -3]),
    ],
)
def test_a_value_is_what_it_should_be_or_nothing(read: Any, kept: list[object]) -> None:
    assert [each for each in map(read, ANYTHING) if each is not None] == kept


def test_of_lists_only_what_belongs_there_is_read() -> None:
    assert texts_in(ANYTHING) == ["", "x"]
    assert objects_in(ANYTHING) == [{}, {"a": 1}]
    for each in ANYTHING[:12]:
        assert not texts_in(each)
        assert not objects_in(each)
