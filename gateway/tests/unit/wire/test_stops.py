"""Nothing at or after a stop string is shown, and nothing is held back longer than it must be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from hayate.wire.stops import StopWatch
from tests.support.tables import table


def shown(stops: list[str], pieces: list[str]) -> tuple[str, bool]:
    watch = StopWatch(stops)
    text = "".join([watch.feed(piece) for piece in pieces])
    return text + watch.rest(), watch.hit


@table(
    ("stops", "text", "expected"),
    [
        ([], "abc", "abc"),
        (["、"], "吾が社は、窓口", "吾が社は"),
        (["END", "EN"], "the END", "the "),
        (["cd", "bcde"], "abcde", "ab"),
        ([""], "abc", "abc"),
        (["xyz"], "abcxy", "abcxy"),
        (["aab"], "aaab", "a"),
    ],
)
def test_text_ends_before_the_first_stop_string(stops: list[str], text: str, expected: str) -> None:
    for pieces in ([text], list(text)):
        assert shown(stops, pieces) == (expected, expected != text)


def test_only_what_may_become_a_stop_string_waits() -> None:
    watch = StopWatch(["</s>"])
    assert watch.feed("a <") == "a "
    assert watch.feed("b") == "<b"
    assert watch.feed("</s") == ""
    assert watch.feed("> more") == ""
    assert watch.hit
    assert (watch.feed("and more"), watch.rest()) == ("", "")


@given(
    some.text("ab", max_size=30), some.lists(some.text("ab", min_size=1, max_size=4), max_size=3), some.integers(1, 5)
)
def test_pieces_make_no_difference(text: str, stops: list[str], size: int) -> None:
    found = [(at + len(stop), at) for stop in stops if (at := text.find(stop)) >= 0]
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert shown(stops, pieces) == (text[: min(found)[1]] if found else text, bool(found))
