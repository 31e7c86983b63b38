"""Lengths of time and moments, as people write them; whatever else is written is none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hayate.wire.durations import LAST, MAX_S, UNITS, moment_of, seconds_of
from tests.support.tables import table

NOW = 1_790_000_000.0
NO_LENGTHS = [
    "", " ", "d", "7", "-7d", "+7d", "7.5d", "7 d", "1d12h", "7y", "7dd", "1e3s", "٣d", "７d", "1_0d", "0x10s",
    "9999999999s", "36501d", "5215w", "NaN", "none", "never", "7d\n7d",
]  # fmt: skip


@table(
    ("text", "seconds"),
    [
        ("90d", 90 * 86_400),
        ("12h", 43_200),
        ("30m", 1800),
        ("45s", 45),
        ("2w", 1_209_600),
        ("0s", 0),
        (" 7D ", 604_800),
    ],
)
def test_a_length_is_a_whole_number_and_its_unit(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@table("text", NO_LENGTHS)
def test_what_is_no_length_or_more_than_a_century_is_none(text: str) -> None:
    assert seconds_of(text) is None


@table(
    ("text", "at"),
    [
        ("2026-12-31", 1_798_675_200),
        ("2026-12-31T18:00", 1_798_740_000),
        ("2026-12-31T18:00+09:00", 1_798_707_600),
        ("2026-12-31T18:00:00Z", 1_798_740_000),
        (" 2026-12-31 18:00 ", 1_798_740_000),
        ("1970-01-01", 0),
        ("9999-12-31", LAST),
    ],
)
def test_a_moment_is_a_date_or_a_time_in_utc_where_no_offset_says_otherwise(text: str, at: float) -> None:
    assert moment_of(text, NOW) == moment_of(text, NOW, ago=True) == at


def test_a_length_is_a_moment_ahead_or_ago_and_never_before_1970() -> None:
    assert moment_of("1h", NOW) == NOW + 3600
    assert moment_of("1h", NOW, ago=True) == NOW - 3600
    assert moment_of("36500d", NOW, ago=True) == 0.0


@table(
    "text",
    [
        *NO_LENGTHS[:-1], "2026-13-01", "2026-02-30", "31.12.2026", "tomorrow", "1969-12-31", "0001-01-01",
        "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00", "10000-01-01", "2026-12-31T25:00", "0000-01-01",
    ],
)  # fmt: skip
def test_what_is_no_moment_or_can_not_be_told_everywhere_is_none(text: str) -> None:
    assert moment_of(text, NOW) is None


@given(st.text(max_size=40))
def test_any_text_is_understood_or_none(text: str) -> None:
    length = seconds_of(text)
    assert length is None or 0 <= length <= MAX_S
    at = moment_of(text, NOW)
    assert at is None or 0 <= at <= max(LAST, NOW + MAX_S)


@given(st.integers(0, 999_999_999), st.sampled_from(sorted(UNITS)))
def test_every_number_of_every_unit_is_its_length_up_to_a_century(count: int, unit: str) -> None:
    meant = count * UNITS[unit]
    assert seconds_of(f"{count}{unit}") == (meant if meant <= MAX_S else None)
