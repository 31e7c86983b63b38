"""What the head of an engine's answer decides: when to come back, however an engine writes it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hayate.relay.heads import MAX_RETRY_AFTER_S, retry_after_s
from tests.support.tables import table

NOW_S = 1_795_855_379.0  # Sat, 28 Nov 2026 08:42:59 GMT


@table(
    ("headers", "seconds"),
    [
        ([], None),
        ([(b"retry-after", b"7")], 7.0),
        ([(b"retry-after", b"1.5")], 1.5),
        ([(b"retry-after", b"-3")], 0.0),
        ([(b"retry-after", b"1e30")], MAX_RETRY_AFTER_S),
        ([(b"retry-after", b"soon")], None),
        ([(b"retry-after", b"nan")], None),
        ([(b"retry-after", b"Sat, 28 Nov 2026 08:43:29 GMT")], 30.0),
        ([(b"retry-after", b"Sat, 28 Nov 2026 08:42:00 GMT")], 0.0),
        ([(b"retry-after", b"Sat, 28 Nov 2026 09:00:10 GMT"), (b"date", b"Sat, 28 Nov 2026 09:00:00 GMT")], 10.0),
        ([(b"retry-after", b"9"), (b"retry-after-ms", b"250")], 0.25),
        ([(b"retry-after-ms", b"x"), (b"retry-after", b"2")], 2.0),
    ],
)
def test_seconds_dates_and_milliseconds(headers: list[tuple[bytes, bytes]], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW_S) == seconds


@given(st.sampled_from([b"retry-after", b"retry-after-ms", b"date"]), st.binary(max_size=80))
def test_whatever_is_written_is_a_time_within_a_day_or_none(name: bytes, value: bytes) -> None:
    found = retry_after_s([(name, value), (b"retry-after", value)], NOW_S)
    assert found is None or 0 <= found <= MAX_RETRY_AFTER_S
