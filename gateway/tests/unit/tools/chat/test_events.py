"""Lines of a stream, and what they mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.chat.events import Broke, Done, Event, Queues, Said, Waits, error_of, event_of
from hayate.wire import sse


@pytest.mark.parametrize(
    ("line", "event"),
    [
        (b": loading model=smart for_s=3.1 last_load_s=12.3", Waits("smart", 3.1, 12.3)),
        (b": loading model=smart", Waits("smart", 0.0, None)),
        (b": waiting model=smart", Waits("smart", None, None)),
        (b": queue place=3 wait_s=4.0", Queues(3, 4.0)),
        (b": queue place=3", Queues(3, None)),
        (b"data: [DONE]", Done()),
        (b'data: {"choices":[{"delta":{"content":"hi"}}]}', Said("hi")),
        (b'data: {"choices":[{"delta":{"reasoning_content":"hm"}}]}', Said("", "hm")),
        (b'data: {"choices":[{"delta":{"reasoning":"hm"}}]}', Said("", "hm")),
        (b'data: {"choices":[{"delta":{},"finish_reason":"length"}]}', Said("", "", "length")),
        (b'data: {"choices":[],"usage":{"completion_tokens":7}}', Said("", tokens=7)),
        (b'data: {"error":{"message":"no","code":"overloaded"}}', Broke("no", "overloaded")),
        (b'data: {"error":"no"}', Broke("no", "")),
    ],
)
def test_what_a_line_means(line: bytes, event: Event) -> None:
    assert event_of(line) == event


def test_the_gateways_own_comments_are_understood() -> None:
    assert event_of(sse.loading_comment("smart", 3.14, 12.3).rstrip()) == Waits("smart", 3.1, 12.3)
    assert event_of(sse.loading_comment("smart", None, 12.3).rstrip()) == Waits("smart", None, 12.3)
    assert event_of(sse.queue_comment(3, 4).rstrip()) == Queues(3, 4.0)
    assert event_of(sse.PING.rstrip()) is None


@given(st.one_of(st.binary(max_size=60), st.binary(max_size=40).map(lambda end: b"data: {" + end)))
def test_whatever_comes_is_an_event_or_nothing(line: bytes) -> None:
    event_of(line)
    event_of(b": loading model=" + line)


@pytest.mark.parametrize(
    "data", [b"[]", b"null", b'{"choices":1}', b'{"choices":[1]}', b'{"choices":[{"delta":1}]}', b"{", b'{"usage":1}']
)
def test_what_is_no_answers_event_is_passed_over(data: bytes) -> None:
    assert event_of(b"data: " + data) in (None, Said(""))


def test_an_errors_body_is_read_whatever_its_shape() -> None:
    assert error_of({"error": {"message": "no", "code": None}}) == Broke("no", "")
    assert error_of({"error": {}}) == Broke("?", "")
    assert error_of({"message": "no"}) is None
    assert error_of([]) is None
