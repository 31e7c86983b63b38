"""A message stream is joined into the message it says, whatever its pieces; a missing start is put before it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import GatewayError
from hayate.wire import sse
from hayate.wire.messages import MessageAssembler, StartingMessages
from tests.support.tables import table

START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": "m",
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"cache_read_input_tokens": 3, "input_tokens": 4, "output_tokens": 0},
    },
}
STOP: list[dict[str, Any]] = [
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 7},
    },
    {"type": "message_stop"},
]


def begins(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def says(index: int, kind: str, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **delta}}


def joined(*events: dict[str, Any]) -> dict[str, Any]:
    assembler = MessageAssembler()
    for event in events:
        assembler.add(json.loads(json.dumps(event)))
    return assembler.answer()


def framed(event: dict[str, Any]) -> bytes:
    return sse.render(json.dumps(event, ensure_ascii=False).encode(), event=event["type"])


def test_text_thinking_and_tools_become_their_blocks() -> None:
    message = joined(
        START,
        begins(0, type="thinking", thinking="", signature=""),
        says(0, "thinking_delta", thinking="まず"),
        {"type": "ping"},
        says(0, "thinking_delta", thinking="考える"),
        says(0, "signature_delta", signature="c2ln"),
        begins(1, type="text", text=""),
        says(1, "text_delta", text="Let me "),
        begins(2, type="tool_use", id="t1", name="get_weather"),
        says(2, "input_json_delta", partial_json='{"city"'),
        says(1, "text_delta", text="check."),
        says(1, "citations_delta", citation={"cited_text": "x"}),
        says(2, "input_json_delta", partial_json=': "東京"}'),
        {"type": "content_block_stop", "index": 0},
        *STOP,
    )
    assert message == {
        **START["message"],
        "content": [
            {"type": "thinking", "thinking": "まず考える", "signature": "c2ln"},
            {"type": "text", "text": "Let me check.", "citations": [{"cited_text": "x"}]},
            {"type": "tool_use", "id": "t1", "name": "get_weather", "input": {"city": "東京"}},
        ],
        "stop_reason": "end_turn",
        "usage": {"cache_read_input_tokens": 3, "input_tokens": 4, "output_tokens": 7},
    }


@table(
    ("pieces", "begun", "expected"),
    [
        ([], {}, {}),
        (['{"a"'], {}, {}),
        (["{}"], {}, {}),
        ([], {"input": {"a": 1}}, {"a": 1}),
        (['{"b":', "2}"], {"input": {}}, {"b": 2}),
    ],
)
def test_a_tools_input(pieces: list[str], begun: dict[str, Any], expected: Any) -> None:
    parts = [says(0, "input_json_delta", partial_json=piece) for piece in pieces]
    [block] = joined(START, begins(0, type="tool_use", id="t", name="f", **begun), *parts, *STOP)["content"]
    assert block["input"] == expected


def test_a_delta_before_its_block_begins_one() -> None:
    content = joined(START, says(1, "input_json_delta", partial_json="{}"), says(0, "text_delta", text="a"), *STOP)[
        "content"
    ]
    assert content == [{"type": "text", "text": "a"}, {"type": "tool_use", "input": {}}]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        {"error": {"code": 500, "message": "Overloaded"}},
    ],
)
def test_an_error_in_the_stream_is_raised(event: dict[str, Any]) -> None:
    with pytest.raises(GatewayError, match="Overloaded"):
        joined(START, event)


@given(st.lists(st.lists(st.text(max_size=5), max_size=6), max_size=4), st.randoms(use_true_random=False))
def test_blocks_that_come_mixed_are_joined_apart(blocks: list[list[str]], chance: Any) -> None:
    """However the deltas of different blocks alternate, each block is its own pieces in order."""
    queues = [
        [begins(n, type="text", text="")] + [says(n, "text_delta", text=each) for each in texts]
        for n, texts in enumerate(blocks)
    ]
    events: list[dict[str, Any]] = []
    while any(queues):
        events.append(chance.choice([queue for queue in queues if queue]).pop(0))
    assert [block["text"] for block in joined(START, *events, *STOP)["content"]] == ["".join(each) for each in blocks]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "usage"]), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = ["message", "content_block", "delta", "usage", "index"]
KINDS = ["message_start", "content_block_start", "content_block_delta", "message_delta", "message_stop", "ping"]


@given(
    st.lists(st.fixed_dictionaries({"type": st.sampled_from(KINDS)}, optional=dict.fromkeys(NAMES, values)), max_size=6)
)
def test_events_of_any_shape_are_joined_or_are_plainly_unreadable(events: list[dict[str, Any]]) -> None:
    try:
        joined(*events)
    except (ValueError, TypeError, AttributeError, LookupError):
        pass  # what the pump and the sink report as an engine's unreadable answer


def test_a_long_answer_takes_time_by_its_length() -> None:
    def seconds(pieces: int) -> float:
        assembler = MessageAssembler()
        began = time.process_time()
        for event in (START, begins(0, type="text", text="")):
            assembler.add(dict(event))
        for _ in range(pieces):
            assembler.add(says(0, "text_delta", text="x" * 100))
        assembler.answer()
        return time.process_time() - began

    seconds(1000)
    short, long = min(seconds(5_000) for _ in range(3)), min(seconds(80_000) for _ in range(3))
    assert long < short * 16 * 4, "sixteen times as much took more than four times sixteen times as long"


def starting() -> StartingMessages:
    return StartingMessages(message_id="msg_new", model="tiny")


WHOLE: list[dict[str, Any]] = [START, begins(0, type="text", text=""), says(0, "text_delta", text="こん"), *STOP]


@given(st.booleans(), st.sampled_from([b"", b": ping\n\n"]), st.lists(st.integers(1, 60), min_size=1))
def test_a_start_that_is_missing_goes_first_wherever_the_bytes_are_split(
    has_start: bool, before: bytes, sizes: list[int]
) -> None:
    events = WHOLE if has_start else WHOLE[1:]
    raw = before + b"".join(map(framed, events))
    stream, out, at, turn = starting(), b"", 0, 0
    while at < len(raw):
        size = sizes[turn % len(sizes)]
        out += stream.feed(raw[at : at + size])
        at, turn = at + size, turn + 1
    out += stream.end()
    assert (stream.finished, stream.failure, stream.finish_reason) == (True, None, "end_turn")
    assert stream.started_late is not has_start
    told = [json.loads(data) for data in map(sse.data_of, sse.frames(out)) if data]
    assert [event["type"] for event in told] == [event["type"] for event in WHOLE]
    if has_start:
        assert out == raw
    else:
        assert (told[0]["message"]["id"], told[0]["message"]["model"]) == ("msg_new", "tiny")
        assert joined(*told)["content"] == [{"type": "text", "text": "こん"}]


def test_an_error_needs_no_start() -> None:
    raw = framed({"type": "error", "error": {"type": "api_error", "message": "no"}})
    assert starting().feed(raw) == raw
