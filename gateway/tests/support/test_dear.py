"""What is too dear for a quick run is slow, and the list names nothing that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.dear import DEAR_CPU_S, function_of, is_dear, listed, noted

GATEWAY = Path(__file__).parents[2]
CHEAP = DEAR_CPU_S / 2


def test_the_list_is_in_order_and_names_tests_that_are_there() -> None:
    names = listed()
    gone = []
    for name in sorted(names):
        path, _, test = function_of(name).partition("::")
        file = GATEWAY / path
        if not file.is_file() or f"def {test.rpartition('::')[2]}(" not in file.read_text(encoding="utf-8"):
            gone.append(name)
    assert gone == []
    assert noted(names, {}) == sorted(names)


@pytest.mark.parametrize(
    ("took", "names"),
    [
        ({"a.py::one": 2.0, "a.py::two": CHEAP}, ["a.py::one"]),
        ({"a.py::one[x]": 2.0, "a.py::one[y]": CHEAP}, ["a.py::one[x]"]),
        ({"a.py::one[x]": 2.0, "a.py::one[y]": 3.0, "a.py::two": CHEAP}, ["a.py::one"]),
        ({"a.py::one": 2.0, "a.py::two": 3.0}, ["a.py::two"]),
        ({"a.py::one[x]": 2.0, "a.py::one[y]": 3.0}, ["a.py::one[y]"]),
        ({"a.py::one": 2.0}, []),
    ],
    ids=["a test", "a case", "all its cases", "a file of dear tests", "of dear cases", "of one"],
)
def test_what_is_dear_is_added_and_some_of_every_file_stays_quick(took: dict[str, float], names: list[str]) -> None:
    assert noted([], took) == names
    assert noted(["b.py::old"], took) == [*names, "b.py::old"]


def test_a_case_is_dear_by_itself_or_with_its_test() -> None:
    names = frozenset(["a.py::one", "a.py::two[x]"])

    assert [is_dear(each, names) for each in ("a.py::one", "a.py::one[y]", "a.py::two[x]")] == [True] * 3
    assert not is_dear("a.py::two[y]", names)
