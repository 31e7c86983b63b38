"""A table runs every row, and says which one failed."""

from __future__ import annotations

import inspect

import pytest

from tests.support.tables import table

seen: list[object] = []


@pytest.fixture(autouse=True)
def fresh() -> None:
    seen.clear()


def test_every_row_is_run_in_its_order() -> None:
    @table("value", [1, (2, 3)])
    def each(value: object) -> None:
        seen.append(value)

    each()

    assert seen == [1, (2, 3)]


@pytest.mark.parametrize("names", [("left", "right"), "left, right"])
def test_a_row_has_a_value_for_each_name(names: str | tuple[str, ...]) -> None:
    @table(names, [(1, 2), (3, 4)])
    def each(left: int, right: int) -> None:
        seen.append(left * right)

    each()

    assert seen == [2, 12]


def test_one_name_in_a_tuple_has_rows_of_one_value() -> None:
    @table(("value",), [(1,), (2,)])
    def each(value: object) -> None:
        seen.append(value)

    each()

    assert seen == [1, 2]


def test_the_row_that_fails_is_named_and_ends_the_test() -> None:
    @table("outer", [7, 8])
    @table(("left", "right"), [(1, 1), ("a" * 900, 2), (3, 4)])
    def each(outer: int, left: object, right: object) -> None:
        seen.append(left)
        assert left == right

    with pytest.raises(AssertionError) as failed:
        each()

    (row, around) = failed.value.__notes__
    assert row.startswith("where left = 'aaa")
    assert row.endswith("aaa', right = 2")
    assert len(row) < 250
    assert around == "where outer = 7"
    assert len(seen) == 2


def test_what_is_no_column_is_a_fixture() -> None:
    @table("value", [1, 2])
    def each(tmp_path: object, value: int) -> None:
        seen.append((tmp_path, value))

    assert list(inspect.signature(each).parameters) == ["tmp_path"]
    each(tmp_path="here")
    assert seen == [("here", 1), ("here", 2)]


@pytest.mark.parametrize("number", [10, 20])
@table("value", [1, 2])
def test_a_table_stands_under_parametrize(number: int, value: int, tmp_path: object) -> None:
    assert tmp_path
    assert number * value in {10, 20, 40}


def test_a_table_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="no rows for value"):
        table("value", [])


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"zip\(\)"):
        table(("left", "right"), [(1, 2), (3,)])


def test_a_name_that_the_test_does_not_take_is_refused() -> None:
    with pytest.raises(TypeError, match="each takes no vlaue"):

        @table("vlaue", [1])
        def each(value: int) -> None: ...
