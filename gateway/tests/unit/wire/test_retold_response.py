"""A response is told by our id, and says whether it is kept."""

from __future__ import annotations

import json
from typing import Any

from hayate.wire import sse
from hayate.wire.retold_response import Retold


def event(kind: str, **fields: Any) -> bytes:
    return sse.render(json.dumps({"type": kind, **fields}).encode(), event=kind)


def read(raw: bytes) -> list[dict[str, Any]]:
    return [json.loads(sse.data_of(frame) or b"") for frame in sse.frames(raw)]


def test_events_that_hold_it_are_told_anew_and_no_others() -> None:
    retold = Retold("resp_ours", previous="resp_before", conversation="conv_1")
    delta = event("response.output_text.delta", delta='"response":{"id":"x"}')
    assert retold.events(delta) is delta
    found = retold.events(
        event("response.created", response={"id": "r", "status": "in_progress"}, sequence_number=3) + delta
    )
    assert found.endswith(delta)
    assert found.startswith(b"event: response.created\ndata: ")
    created = read(found)[0]
    assert created["sequence_number"] == 3
    assert created["response"] == {
        "id": "resp_ours",
        "status": "in_progress",
        "previous_response_id": "resp_before",
        "store": True,
        "conversation": {"id": "conv_1"},
    }


def test_what_is_not_kept_keeps_its_id() -> None:
    response = {"id": "r"}
    Retold(None, previous="resp_before", conversation=None).put(response)
    assert response == {"id": "r", "previous_response_id": "resp_before", "store": False}


def test_what_could_not_be_kept_says_so() -> None:
    retold = Retold("resp_ours", previous=None, conversation=None)
    told = retold.events(event("response.completed", response={"id": "r"}))
    assert read(told)[0]["response"]["store"] is True
    assert read(retold.unkept(told))[0]["response"] == {"id": "resp_ours", "previous_response_id": None, "store": False}


def test_what_holds_none_passes() -> None:
    retold = Retold("resp_ours", previous=None, conversation=None)
    for raw in (
        b'data: {"response": 7}\n\n',
        b'data: {"response": \n\n',
        b'data: ["response": 1]\n\n',
        b': "response":\n\n',
    ):
        assert retold.events(raw) == raw
