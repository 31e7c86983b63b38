"""The last chunk of an answer, held back for what comes after it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hayate.wire.finish import Finish

LAST: dict[str, Any] = {"id": "1", "choices": [{"finish_reason": "stop"}], "system_fingerprint": None}
FRAME = b'data: {"id":"1", "as": "it came"}\n\n'
USAGE = {"prompt_tokens": 7, "completion_tokens": 3}


@pytest.fixture
def finish() -> Finish:
    made = Finish()
    made.hold(LAST, FRAME)
    return made


def test_it_is_released_once_and_as_it_came(finish: Finish) -> None:
    assert finish.frame == FRAME
    assert (finish.release(), finish.release(), finish.frame) == (FRAME, b"", b"")


def test_what_was_never_held_is_nothing() -> None:
    assert (Finish().release(), Finish().with_rest_of({"timings": 1})) == (b"", b"")


@pytest.mark.parametrize(
    "event", [{}, {"usage": USAGE}, {"id": "1", "usage": USAGE}, {"timings": None, "usage": USAGE}]
)
def test_usage_alone_adds_nothing_and_the_bytes_stay_as_they_came(finish: Finish, event: dict[str, Any]) -> None:
    assert finish.with_rest_of(event) == FRAME
    assert finish.release() == b""


def test_what_the_usages_event_says_besides_goes_back_to_where_the_engine_had_it(finish: Finish) -> None:
    event = {"id": "another", "choices": [], "usage": USAGE, "timings": {"n": 2}, "system_fingerprint": "fp"}
    sent = finish.with_rest_of(event)
    assert sent.startswith(b"data: ")
    assert sent.endswith(b"\n\n")
    told = json.loads(sent.removeprefix(b"data: "))
    assert told == {**LAST, "timings": {"n": 2}, "system_fingerprint": "fp"}, "what the chunk said itself stays"
    assert finish.with_rest_of(event) == b""


def test_the_next_chunk_takes_the_place_of_one_that_is_held(finish: Finish) -> None:
    finish.hold({"id": "2"}, b"data: 2\n\n")
    assert finish.release() == b"data: 2\n\n"


def test_the_chunk_itself_is_left_as_it_was(finish: Finish) -> None:
    before = json.dumps(LAST)
    finish.with_rest_of({"timings": 1})
    assert json.dumps(LAST) == before
