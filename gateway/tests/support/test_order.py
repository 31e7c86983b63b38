"""Files that wait begin among those that compute, and what one worker runs begins first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.order import FIRST, WAITED_FOR, WAITING, in_order

NAMES = st.sampled_from(("tests/unit/", "tests/support/", *FIRST, *WAITING))
FILES = st.lists(st.builds("{}test_{}.py".format, NAMES, st.integers(0, 99)), unique=True)


@given(FILES)
def test_none_is_lost_and_those_of_a_kind_keep_their_order(files: list[str]) -> None:
    ordered = in_order(files)
    assert sorted(ordered) == sorted(files)
    for kind in (*[(each,) for each in FIRST], WAITING):
        assert [each for each in ordered if each.startswith(kind)] == [each for each in files if each.startswith(kind)]
    begin = [each.startswith(FIRST) for each in ordered]
    assert begin == sorted(begin, reverse=True)


def test_those_that_wait_are_spread_and_none_is_among_the_last() -> None:
    computing = [f"tests/unit/test_{number}.py" for number in range(100)]
    ordered = in_order(["tests/browser/test_page.py", *computing, *(f"tests/fairness/test_{number}.py" for number in range(8))])
    places = [place for place, file in enumerate(ordered) if file.startswith("tests/fairness/")]
    assert ordered[0] == "tests/browser/test_page.py"
    assert {after - before for before, after in zip(places, places[1:], strict=False)} == {11}
    assert places[-1] < len(ordered) * WAITED_FOR
