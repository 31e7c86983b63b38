"""A mistake has its place in front of it, and all of them are told in the order of the file."""

from __future__ import annotations

from hayate.config.mistakes import ConfigError, Findings, Mistake
from hayate.language import Text

NO = Text("no", "いいえ")


def test_a_mistake_is_told_with_its_line_or_its_variable() -> None:
    assert Mistake(("a", "b", 0), NO, 3).told("f.yaml") == Text(
        "f.yaml: line 3: a.b.0: no", "f.yaml: 3行目: a.b.0: いいえ"
    )
    assert Mistake((), NO).told("f.yaml") == Text("f.yaml: no", "f.yaml: いいえ")
    assert Mistake(("a",), NO, variable="X").told("f") == Text("environment: X (a): no", "環境変数X（a）: いいえ")
    assert Mistake((), NO, variable="X").told("f") == Text("environment: X: no", "環境変数X: いいえ")


def test_they_are_in_the_order_of_the_file_and_the_environments_come_last() -> None:
    given = [Mistake((), NO, variable="X"), Mistake((), NO, 9), Mistake((), NO, 2), Mistake((), NO)]
    error = ConfigError.of("f", given)
    assert error.english.splitlines() == ["f: no", "f: line 2: no", "f: line 9: no", "environment: X: no"]
    assert len(error.japanese.splitlines()) == 4


def test_what_is_inside_of_something_wrong_is_not_told_too() -> None:
    found = Findings()
    for where in (("a",), ("a", "b"), ("a",), ("ab",), ("c", "d"), ("c",)):
        found.add(Mistake(where, NO))
    assert [each.where for each in found.all] == [("a",), ("ab",), ("c", "d"), ("c",)]
    assert found.within(("c",))
    assert not found.within(("x",))


def test_what_stands_twice_is_looked_into_all_the_same() -> None:
    found = Findings()
    found.add(Mistake(("a",), NO, outer=False))
    found.add(Mistake(("a", "b"), NO))
    assert len(found.all) == 2
