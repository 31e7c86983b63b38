"""What is remembered of streams that are over: for their caller alone, for a while, and never more than so much."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hayate.policy.ended_streams import AT_MOST, KEEP_S, EndedStreams, split_id
from tests.support.tables import table


def test_a_stream_that_ended_well_is_over_whatever_of_it_arrived() -> None:
    ended = EndedStreams()
    ended.add("main", "s", 0)
    assert all(ended.knows("main", f"s-{n}", 1) for n in (0, 1, 7, 999_999_999))
    assert not ended.knows("main", "t-7", 1)


def test_a_stream_that_broke_is_known_to_be_over_by_those_who_have_its_last_event() -> None:
    ended = EndedStreams()
    ended.add("main", "s", 0, last=4)
    assert [ended.knows("main", f"s-{n}", 1) for n in range(7)] == [False] * 4 + [True] * 3
    ended.add("main", "s", 1)  # now it has been told
    assert ended.knows("main", "s-0", 1)


def test_another_caller_learns_nothing() -> None:
    ended = EndedStreams()
    ended.add("main", "s", 0)
    assert not ended.knows("other", "s-7", 1)


def test_another_caller_pushes_nothing_out() -> None:
    ended = EndedStreams()
    ended.add("main", "s", 0)
    for n in range(3 * AT_MOST):
        ended.add("other", f"x{n}", 0)
    assert ended.knows("main", "s-1", 1)


def test_no_more_than_so_many_are_kept_and_the_oldest_goes_first() -> None:
    ended = EndedStreams()
    for n in range(AT_MOST + 10):
        ended.add("main", f"s{n}", n / 1000)
    assert len(ended._ended["main"]) == AT_MOST
    assert [ended.knows("main", f"s{n}-1", 2) for n in (0, 9, 10, AT_MOST + 9)] == [False, False, True, True]


def test_after_a_while_they_are_forgotten() -> None:
    ended = EndedStreams()
    ended.add("main", "s", 0)
    assert ended.knows("main", "s-1", KEEP_S)
    assert not ended.knows("main", "s-1", KEEP_S + 1)
    ended.add("main", "t", KEEP_S + 1)
    assert list(ended._ended["main"]) == ["t"]


def test_a_stream_told_again_counts_from_then() -> None:
    ended = EndedStreams()
    ended.add("main", "s", 0)
    ended.add("main", "t", 1)
    ended.add("main", "s", KEEP_S)
    ended.add("main", "u", KEEP_S + 2)
    assert ended.knows("main", "s-1", KEEP_S + 2)
    assert not ended.knows("main", "t-1", KEEP_S + 2)


@table(
    ("event_id", "meant"),
    [
        ("a1-7", ("a1", 7)),
        ("a-b-0", ("a-b", 0)),
        ("a:b.c-12", ("a:b.c", 12)),
        ("7", None),
        ("-7", None),
        ("a-", None),
        ("a-x", None),
        ("a-７", None),
        ("é-1", None),
        ("a--1", ("a-", 1)),
        ("a-1234567890", None),
        ("x" * 500 + "-1", None),
        ("", None),
    ],
)
def test_an_events_id_is_its_stream_and_its_number(event_id: str, meant: tuple[str, int] | None) -> None:
    assert split_id(event_id) == meant


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=8), st.integers(0, 20), st.floats(0, 2 * KEEP_S)), max_size=40),
    st.text(max_size=300),
)
def test_no_id_makes_it_fail(added: list[tuple[str, int, float]], asked: str) -> None:
    ended, now = EndedStreams(), 0.0
    for stream, last, after_s in added:
        now += after_s
        ended.add("main", stream, now, last=last)
        assert ended.knows("main", f"{stream}-{last}", now) == (split_id(f"{stream}-{last}") is not None)
    assert ended.knows("main", asked, now) in (False, True)
