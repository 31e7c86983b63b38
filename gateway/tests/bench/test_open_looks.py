"""What is made of what the open loop's client has written."""

from __future__ import annotations

import array
import math
from pathlib import Path

import pytest
from bench.open_looks import FIRST, PLAIN, TOKENS, Look, Looks, quantile, read
from bench.open_schedule import Planned, Schedule


@pytest.mark.parametrize(
    ("count", "at", "expected"),
    [
        (1, 0.5, 1),
        (100, 0.5, 50),
        (999, 0.99, math.nan),
        (1000, 0.99, 990),
        (9_999, 0.999, math.nan),
        (10_000, 0.999, 9_990),
        (0, 0.5, math.nan),
    ],
)
def test_a_percentile_is_a_value_that_was_seen_and_has_ten_beyond_it(count: int, at: float, expected: float) -> None:
    assert quantile(range(1, count + 1), at) == pytest.approx(expected, nan_ok=True)


def _written(folder: Path, calls: list[str], tokens: list[tuple[int, int, int]]) -> Path:
    out = folder / "out"
    out.with_suffix(".calls").write_text("\n".join(["1.5", *calls]) + "\n")
    out.with_suffix(".tokens").write_bytes(array.array("i", [each for token in tokens for each in token]).tobytes())
    return out


def test_waits_are_kept_by_what_was_waited_for(tmp_path: Path) -> None:
    calls = [Planned(0, 2), Planned(1, 2, "stream"), Planned(2, 0, "plain"), Planned(3, 2, "stream")]
    lines = ["1 9000 9000 2 whole", "2 20500 80500 2 whole", "3 -1 750 0 whole", "4 21500 81500 2 whole"]
    tokens = [(0, 999, 90_000), (1, 1000, 5_000), (1, 1999, 15_000), (3, 2000, 90_000)]

    look, cpu_s = read(_written(tmp_path, lines, tokens), Schedule("10/s", calls, 1.0, 2.0))

    assert cpu_s == 1.5
    assert look.quantiles[FIRST][0] == 20.5
    assert look.quantiles[PLAIN][0] == 0.75
    assert (look.quantiles[TOKENS][0], look.worst[TOKENS], look.counted[TOKENS]) == (0.5, 1.5, 2)
    assert not look.errors
    assert look.begun_late_ms == 0.004


def test_an_answer_that_is_not_whole_is_an_error_and_no_wait(tmp_path: Path) -> None:
    calls = [Planned(0, 2, "stream"), Planned(1, 0), Planned(2, 2, "stream")]
    lines = ["1 20000 30000 1 1 of 2 tokens", "1 -1 5 0 status 503", "1 30000 30000 2 whole"]

    look, _ = read(_written(tmp_path, lines, []), Schedule("10/s", calls, 0, 1))

    assert look.errors == {"1 of 2 tokens": 1, "status 503": 1}
    assert (look.quantiles[FIRST][0], look.counted[FIRST]) == (30.0, 1)
    assert math.isnan(look.worst[TOKENS])


def test_a_client_that_lost_a_call_is_not_believed(tmp_path: Path) -> None:
    schedule = Schedule("10/s", [Planned(0, 2), Planned(1, 2)], 0, 1)

    with pytest.raises(ValueError, match="shorter"):
        read(_written(tmp_path, ["1 20000 30000 2 whole"], []), schedule)


def _look(middle: float, worst: float = 0.0) -> Look:
    return Look({TOKENS: [middle, middle * 2, math.nan]}, {TOKENS: worst}, curve=[middle])


def test_what_is_added_is_the_median_of_differences_within_a_look() -> None:
    looks = Looks()
    for line, mine in ((1, 2), (10, 12), (5, 30)):
        looks.add("10/s", "direct", _look(line))
        looks.add("10/s", "nginx", _look(mine, mine))

    middle, high, highest = looks.added("10/s", "nginx", TOKENS)
    assert (middle, high) == (2, 4)
    assert math.isnan(highest)
    assert looks.worst("10/s", "nginx", TOKENS) == 12
    assert looks.curve("10/s", "nginx") == [12]


def test_nothing_is_added_where_nothing_was_measured() -> None:
    looks = Looks()
    looks.add("10/s", "nginx", _look(1))

    assert all(map(math.isnan, looks.added("10/s", "nginx", TOKENS)))
    assert all(map(math.isnan, looks.added("50/s", "nginx", FIRST)))
