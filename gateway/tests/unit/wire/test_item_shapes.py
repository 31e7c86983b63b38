"""What items are made of."""

from __future__ import annotations

from hayate.wire.item_shapes import add_extra, extra_of, is_whole, mended, message, text_part
from tests.support.tables import table


def test_what_is_left_stands_under_its_dialect_alone() -> None:
    item = message("user", "x")
    add_extra(item, "chat", {})
    assert "hayate" not in item

    add_extra(item, "chat", {"name": "Aoi"})

    assert extra_of(item, "chat") == {"name": "Aoi"}
    assert extra_of(item, "messages") == {}


@table("extra", [None, 5, [], {"chat": 5}, {"chat": None}])
def test_what_is_ours_and_has_another_shape_is_nothing(extra: object) -> None:
    assert extra_of({"hayate": extra}, "chat") == {}


@table("whole", ["", "{}", '{"a":1}', "[]", "5"])
def test_arguments_are_whole(whole: str) -> None:
    assert is_whole(whole)


@table("half", ['{"a":', "{", "{a}", None, {}])
def test_arguments_are_not_whole(half: object) -> None:
    assert not is_whole(half)


def test_halves_of_characters_are_mended_wherever_they_are() -> None:
    item = mended({"type": "x", "a": ["\ud83d\ude00", {"b": "\ud83d"}], "c": "東京"})

    assert item == {"type": "x", "a": ["😀", {"b": "\ufffd"}], "c": "東京"}


def test_a_text_is_said_or_given() -> None:
    assert text_part("assistant", "x") == {"type": "output_text", "text": "x", "annotations": []}
    assert text_part("developer", "x") == {"type": "input_text", "text": "x"}
