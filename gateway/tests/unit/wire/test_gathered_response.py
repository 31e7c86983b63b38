"""Response events, which are numbered, are joined all the same."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.wire import sse
from hayate.wire.gathered_response import GatheredResponse
from hayate.wire.partial_response import PartialResponse

ORDERS: dict[str, list[str]] = {
    "vllm": ["content_index", "delta", "item_id", "logprobs", "output_index", "sequence_number", "type"],
    "llama.cpp": ["type", "item_id", "delta"],
    "openai": ["type", "sequence_number", "item_id", "output_index", "content_index", "delta"],
}
kinds = st.sampled_from(["output_text", "refusal", "reasoning_text"])
texts = st.text(max_size=5) | st.sampled_from(['"', "\\", '","sequence_number":7,"x":"', "\n", ""])


def frame(order: list[str], n: int, kind: str, text: str, item: int) -> bytes:
    fields: dict[str, Any] = {
        "type": f"response.{kind}.delta", "sequence_number": n, "item_id": f"item_{item}", "output_index": item,
        "content_index": 0, "delta": text, "logprobs": [],
    }  # fmt: skip
    data = json.dumps({name: fields[name] for name in order}, separators=(",", ":"), ensure_ascii=False)
    return sse.render(data.encode("utf-8", "surrogatepass"), event=f"response.{kind}.delta")


@pytest.mark.parametrize("engine", ORDERS)
@given(
    pieces=st.lists(
        st.tuples(st.sampled_from(["output_text", "refusal", "reasoning_text"]), texts, st.integers(0, 1)), max_size=12
    ),
    draw=st.randoms(),
)
def test_what_is_gathered_is_what_the_events_say(
    engine: str, pieces: list[tuple[str, str, int]], draw: random.Random
) -> None:
    gathered, expected = GatheredResponse(1 << 20), PartialResponse()
    begun = sse.render(
        json.dumps({"type": "response.created", "response": {"id": "r"}}).encode(), event="response.created"
    )
    events = [begun]
    for kind, text, item in pieces:
        for _ in range(draw.choice((1, 2, 4))):
            events.append(frame(ORDERS[engine], draw.choice((len(events), 10**9)), kind, text, item))
    at = 0
    while at < len(events):
        count = draw.choice((1, 1, 2, 5))
        gathered.add(b"".join(events[at : at + count]))
        at += count
    for each in events:
        expected.add(json.loads(sse.data_of(each) or b""))
    assert gathered.answer() == expected.answer()


def test_alike_events_are_one_run_and_what_says_it_again_is_not_kept() -> None:
    gathered = GatheredResponse(1 << 20)
    for n in range(100):
        gathered.add(frame(ORDERS["vllm"], n, "output_text", f"w{n}", 0))
    assert gathered._run is not None
    assert len(gathered._run.text) > 250
    assert gathered._kept == []
    again = {"type": "response.output_text.done", "text": "w" * 1000}
    gathered.add(sse.render(json.dumps(again).encode(), event="response.output_text.done"))
    assert gathered._kept == []


def test_two_events_that_look_like_one_are_two() -> None:
    gathered = GatheredResponse(1 << 20)
    one, two, three = (frame(ORDERS["vllm"], n, "output_text", "a", 0) for n in (1, 2, 3))
    gathered.add(one)
    gathered.add(two)
    gathered.add(three + frame(ORDERS["vllm"], 4, "output_text", "b", 0))
    assert gathered.answer()["output"][0]["content"][0]["text"] == "aaab"
