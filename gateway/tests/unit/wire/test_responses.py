"""A response stream's last event is the whole response; progress that only the gateway asked for does not reach the client."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import GatewayError
from hayate.wire import sse
from hayate.wire.responses import QuietResponses, ResponseAssembler

DONE = {
    "id": "r",
    "object": "response",
    "created_at": 7,
    "status": "completed",
    "output": [],
    "usage": {"input_tokens": 9},
}


def framed(event: dict[str, Any]) -> bytes:
    return sse.render(json.dumps(event, ensure_ascii=False).encode(), event=event["type"])


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **fields}


def joined(*events: dict[str, Any]) -> dict[str, Any]:
    assembler = ResponseAssembler()
    for each in events:
        assembler.add(json.loads(json.dumps(each)))
    return assembler.answer()


@pytest.mark.parametrize("kind", ["completed", "incomplete", "failed", "cancelled"])
def test_the_last_event_is_the_answer(kind: str) -> None:
    last = {**DONE, "status": kind}
    answer = joined(
        event("created", response={"id": "r"}), event("output_text.delta", delta="a"), event(kind, response=last)
    )
    assert answer == last | ({"completed_at": 7} if kind == "completed" else {})


def test_a_time_that_the_engine_says_itself_is_kept() -> None:
    assert joined(event("completed", response={**DONE, "completed_at": 9}))["completed_at"] == 9


@pytest.mark.parametrize(
    "failure",
    [
        {"type": "error", "code": "server_error", "message": "out of memory"},
        {"error": {"code": 500, "message": "out of memory"}},
    ],
)
def test_an_error_in_the_stream_is_raised(failure: dict[str, Any]) -> None:
    with pytest.raises(GatewayError, match="out of memory"):
        joined(event("created", response={"id": "r"}), failure)


PROGRESS = {"total": 9, "cache": 0, "processed": 4, "time_ms": 1}
QUIET = [
    event("created", response={"id": "r"}),
    event("in_progress", response={"id": "r"}),
    event("output_text.delta", delta='say "prompt_progress" 東'),
    event("completed", response=DONE),
]
LOUD = [
    QUIET[0],
    {**QUIET[1], "prompt_progress": PROGRESS},
    {**QUIET[1], "prompt_progress": PROGRESS},
    {**QUIET[1], "prompt_progress": PROGRESS},
    *QUIET[2:],
]


@given(st.sampled_from([QUIET, LOUD]), st.lists(st.integers(1, 90), min_size=1))
def test_progress_is_taken_out_wherever_the_bytes_are_split(events: list[dict[str, Any]], sizes: list[int]) -> None:
    raw = b"".join(map(framed, events))
    stream, out, at, turn = QuietResponses(), b"", 0, 0
    while at < len(raw):
        size = sizes[turn % len(sizes)]
        out += stream.feed(raw[at : at + size])
        at, turn = at + size, turn + 1
    out += stream.end()
    assert (stream.finished, stream.failure) == (True, None)
    assert [json.loads(data) for data in map(sse.data_of, sse.frames(out)) if data] == QUIET
    assert [sse.event_of(frame).decode() for frame in sse.frames(out)] == [each["type"] for each in QUIET]
    if events is QUIET:
        assert out == raw
