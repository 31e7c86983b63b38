"""Moments as programs read them."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hayate.telemetry.iso_time import iso


def test_it_is_utc_to_the_millisecond() -> None:
    assert iso(1_790_000_000.1239) == "2026-09-21T14:13:20.123Z"


@given(st.integers(0, 4_000_000_000_000))
def test_every_library_reads_the_same_moment_back(milliseconds: int) -> None:
    read = datetime.fromisoformat(iso(milliseconds / 1000))
    assert read.tzinfo is UTC or read.utcoffset() == UTC.utcoffset(None)
    assert abs(read.timestamp() * 1000 - milliseconds) <= 1.001
