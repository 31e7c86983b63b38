"""The numbers of a response's events, wherever they stand."""

from __future__ import annotations

from hayate.wire import sse
from hayate.wire.event_numbers import first_number, next_number
from tests.support.tables import table


@table(
    ("events", "first", "following"),
    [
        ([], None, 0),
        ([b'{"type":"x"}'], None, 0),
        ([b'{"sequence_number":7,"type":"x"}'], 7, 8),
        ([b'{"type":"x", "sequence_number": 7}', b'{"sequence_number":8}', b'{"type":"y"}'], 7, 9),
        ([b'{"text":"\\"sequence_number\\":5","sequence_number":3}'], 3, 4),
        ([b'{"sequence_number":"5"}'], None, 0),
        ([b'{"sequence_number":' + b"9" * 5000 + b"}"], None, 0),
    ],
)
def test_the_last_event_says_what_comes_next(events: list[bytes], first: int | None, following: int) -> None:
    whole = b"".join(map(sse.render, events))
    assert (first_number(whole), next_number(whole)) == (first, following)
