"""What a key has left, as headers: of each kind the limit that is nearest."""

from __future__ import annotations

from hayate.access.counters import Counters
from hayate.access.limit_headers import LIMIT_FIELDS, duration, fresh_headers, nearest_headers
from hayate.settings import RateLimits
from hayate.wire.http1 import Headers
from tests.support.tables import table

PREFIX = "x-ratelimit-"


def read(headers: Headers) -> dict[str, str]:
    assert len(dict(headers)) == len(headers)
    assert {name for name, _ in headers} <= set(LIMIT_FIELDS)
    return {name.decode().removeprefix(PREFIX): value.decode() for name, value in headers}


@table(("seconds", "said"), [(0, b"0ms"), (0.0169, b"17ms"), (1, b"1s"), (59.2, b"1m0s"), (359.5, b"6m0s")])
def test_durations_are_written_as_openai_does(seconds: float, said: bytes) -> None:
    assert duration(seconds) == said


def test_of_several_windows_of_a_kind_the_fullest_is_told() -> None:
    counters = Counters(RateLimits(tokens_per_minute=100, output_tokens_per_minute=50))
    (whole, _), (outputs, _) = counters.tokens
    whole.take(5.0, 30)
    outputs.take(5.0, 40)
    told = read(nearest_headers(counters.requests, counters.tokens, lambda: 5.0, fresh=False))
    assert (told["limit-tokens"], told["remaining-tokens"]) == ("50", "10")
    whole.take(5.0, 65)
    told = read(nearest_headers(counters.requests, counters.tokens, lambda: 5.0, fresh=False))
    assert (told["limit-tokens"], told["remaining-tokens"]) == ("100", "5")
    assert not [name for name in told if name.endswith("requests")], "it has no such limit"


def test_what_has_just_been_booked_is_told_the_same_either_way() -> None:
    counters = Counters(RateLimits(requests_per_minute=3, tokens_per_minute=100))
    for left in (2, 1, 0):
        for window, units in ((counters.requests[0][0], 1), (counters.tokens[0][0], 40)):
            window.take(5.0, units)
        told = read(fresh_headers(counters))
        assert told == read(nearest_headers(counters.requests, counters.tokens, lambda: 5.0, fresh=True))
        assert (told["remaining-requests"], told["limit-requests"]) == (str(left), "3")


def test_a_debt_is_nothing_left() -> None:
    counters = Counters(RateLimits(tokens_per_minute=100))
    window = counters.tokens[0][0]
    window.settle(window.take(5.0, 60), 200, 5.0)
    assert read(fresh_headers(counters))["remaining-tokens"] == "0"
    assert read(nearest_headers((), counters.tokens, lambda: 5.0, fresh=False))["remaining-tokens"] == "0"
