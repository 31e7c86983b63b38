"""Items of a response, from their first event to their last."""

from __future__ import annotations

import json
import time
from typing import Any

from hayate.wire import sse
from hayate.wire.output_items import Events, TextItem, tokens_of
from tests.support.tables import table


def read(raw: bytes) -> list[dict[str, Any]]:
    return [json.loads(sse.data_of(frame) or b"") for frame in sse.frames(raw)] if raw else []


def test_events_are_named_typed_and_numbered() -> None:
    events = Events()
    first, second = events.event("response.a", {"x": "ä"}), events.written("response.b", b'"y":[1]')
    assert first == 'event: response.a\ndata: {"type":"response.a","x":"ä","sequence_number":0}\n\n'.encode()
    assert second == b'event: response.b\ndata: {"type":"response.b","y":[1],"sequence_number":1}\n\n'


def test_a_message_says_at_its_end_what_it_said_on_its_way() -> None:
    item = TextItem(Events(), "msg_1", 3, reasoning=False)
    raw = item.open() + item.say("output_text", 'a"b', []) + item.say("output_text", "\n", []) + item.close("completed")
    events = read(raw)
    assert [each["sequence_number"] for each in events] == list(range(len(events)))
    assert {each["output_index"] for each in events} == {3}
    assert [each["delta"] for each in events if "delta" in each] == ['a"b', "\n"]
    assert events[-1]["item"] == {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": 'a"b\n', "annotations": [], "logprobs": []}],
        "status": "completed",
    }


def test_another_kind_of_content_is_another_part() -> None:
    item = TextItem(Events(), "msg_1", 0, reasoning=False)
    raw = item.say("output_text", "a", []) + item.say("refusal", "b", []) + item.say("output_text", "c", [])
    parts = [each for each in read(raw) if each["type"] == "response.content_part.added"]
    assert [each["content_index"] for each in parts] == [0, 1, 2]
    assert [part["type"] for part in item.whole()["content"]] == ["output_text", "refusal", "output_text"]


def test_a_quiet_one_is_built_without_a_word() -> None:
    text = TextItem(Events(quiet=True), "rs_1", 0, reasoning=True)
    assert text.open() + text.say("reasoning_text", "hm", []) + text.close("incomplete") == b""
    assert text.whole()["content"] == [{"type": "reasoning_text", "text": "hm"}]
    assert text.whole()["status"] == "incomplete"


@table("given", [None, 5, "x", {}, {"content": None}, {"content": [5, {}, {"token": 5}]}])
def test_what_is_no_list_of_log_probabilities_says_nothing(given: Any) -> None:
    assert tokens_of(given) == []


def test_a_token_has_all_members_whatever_the_engine_leaves_out() -> None:
    [token] = tokens_of({"content": [{"token": "あ", "logprob": -1.5, "top_logprobs": None}]})
    assert token == {"token": "あ", "logprob": -1.5, "bytes": list("あ".encode()), "top_logprobs": []}


def test_a_long_text_costs_time_by_its_length() -> None:
    def spent(pieces: int) -> float:
        item = TextItem(Events(), "msg_1", 0, reasoning=False)
        began = time.process_time()
        for _ in range(pieces):
            item.say("output_text", "word ", [])
        item.close("completed")
        return time.process_time() - began

    short = min(spent(4_000) for _ in range(3))
    assert min(spent(16_000) for _ in range(3)) < 4 * short * 3
