"""A stream that only the gateway asked for becomes the answer the engine would have given in one piece."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.wire.assemble import Assembler, merge
from tests.support.tables import table
from tests.unit.wire.engine_chunks import USAGE, llamacpp, llamacpp_choice, vllm, vllm_choice


def assembled(*chunks: Any, chat: bool = True) -> dict[str, Any]:
    assembler = Assembler(chat=chat)
    for chunk in chunks:
        assembler.add(json.loads(json.dumps(chunk)))
    return assembler.answer()


def test_a_llamacpp_answer_has_the_shape_of_its_own() -> None:
    timings = {"predicted_n": 4, "predicted_ms": 0.7}

    answer = assembled(
        llamacpp([llamacpp_choice({"role": "assistant", "content": None})]),
        *(llamacpp([llamacpp_choice({"content": text})]) for text in ("こん", "にち", "は")),
        llamacpp([llamacpp_choice({}, "stop")], timings=timings),
        llamacpp([], usage=USAGE),
    )

    assert answer == {
        "id": "chatcmpl-FY1",
        "object": "chat.completion",
        "created": 1795361780,
        "model": "tiny-qwen2",
        "system_fingerprint": "b0-unknown",
        "timings": timings,
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "こんにちは"}}],
        "usage": USAGE,
    }


def test_an_answer_without_any_text_has_null_content() -> None:
    """The first token was half a character, and the limit was reached."""
    choice = assembled(llamacpp([llamacpp_choice({}, "length")]))["choices"][0]
    assert choice == {"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": None}}


def test_fields_nobody_knows_survive_wherever_they_are() -> None:
    answer = assembled(
        vllm([vllm_choice({"role": "assistant", "content": "a", "mood": "calm"})], prompt_token_ids=[1, 2], route="x"),
        vllm([{**vllm_choice({"content": "b", "trace": {"n": 1, "path": "p"}}), "token_ids": [5]}]),
        vllm([{**vllm_choice({"trace": {"m": 2, "path": "q"}}, "stop"), "token_ids": [6], "stop_reason": 151643}]),
    )
    choice = answer["choices"][0]
    assert (answer["prompt_token_ids"], answer["route"]) == ([1, 2], "x")
    assert choice["message"] == {
        "role": "assistant",
        "content": "ab",
        "mood": "calm",
        "trace": {"n": 1, "path": "pq", "m": 2},
    }
    assert (choice["token_ids"], choice["stop_reason"], choice["logprobs"]) == ([5, 6], 151643, None)


def test_two_tool_calls_as_vllm_streams_them() -> None:
    """Id and name come without arguments; one delta may hold two parts of the same call."""

    def delta(*parts: dict[str, Any]) -> dict[str, Any]:
        return vllm([vllm_choice({"content": None, "tool_calls": list(parts)})])

    def said(index: int, arguments: str) -> dict[str, Any]:
        return {"index": index, "function": {"arguments": arguments}}

    def begins(index: int, call_id: str) -> dict[str, Any]:
        return {"id": call_id, "type": "function", "index": index, "function": {"name": "get_weather"}}

    message = assembled(
        vllm([vllm_choice({"role": "assistant", "content": ""})]),
        delta(begins(0, "tool-1")),
        delta(said(0, '{"city')),
        delta(said(0, '": "東京"}')),
        delta(begins(1, "tool-2"), said(1, "{")),
        delta(said(1, '"city": "大阪"'), said(1, "}")),
        vllm([vllm_choice({}, "tool_calls")]),
    )["choices"][0]["message"]

    assert [(call["id"], call["function"]["name"]) for call in message["tool_calls"]] == [
        ("tool-1", "get_weather"),
        ("tool-2", "get_weather"),
    ]
    assert [json.loads(call["function"]["arguments"])["city"] for call in message["tool_calls"]] == ["東京", "大阪"]
    assert all("index" not in call for call in message["tool_calls"])
    assert message["content"] == ""


def test_a_tool_call_as_llamacpp_streams_it() -> None:
    """The name and the first piece of the arguments come together."""
    first = {"index": 0, "id": "cjB", "type": "function", "function": {"name": "get_weather", "arguments": "{"}}
    message = assembled(
        llamacpp([llamacpp_choice({"role": "assistant", "content": None})]),
        llamacpp([llamacpp_choice({"tool_calls": [first]})]),
        llamacpp([llamacpp_choice({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]})]),
        llamacpp([llamacpp_choice({}, "tool_calls")]),
    )["choices"][0]["message"]
    assert message["tool_calls"] == [
        {"id": "cjB", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    ]


def test_choices_come_in_order_whichever_spoke_first() -> None:
    answer = assembled(
        llamacpp([llamacpp_choice({"content": "b1"}, index=1)]),
        llamacpp([llamacpp_choice({"content": "a1"}, index=0), llamacpp_choice({"content": "b2"}, index=1)]),
        llamacpp([llamacpp_choice({}, "stop", index=1)]),
        llamacpp([llamacpp_choice({}, "length", index=0)]),
    )
    assert [(each["index"], each["message"]["content"], each["finish_reason"]) for each in answer["choices"]] == [
        (0, "a1", "length"),
        (1, "b1b2", "stop"),
    ]


def test_reasoning_and_log_probabilities_are_joined() -> None:
    def chunk(text: str, logprob: float) -> dict[str, Any]:
        choice = vllm_choice({"reasoning": text})
        return vllm([{**choice, "logprobs": {"content": [{"token": text, "logprob": logprob}]}}])

    choice = assembled(chunk("hm", -0.1), chunk("m", -0.2), vllm([vllm_choice({}, "stop")]))["choices"][0]
    assert choice["message"]["reasoning"] == "hmm"
    assert [each["logprob"] for each in choice["logprobs"]["content"]] == [-0.1, -0.2]


def test_a_text_completion_has_text() -> None:
    def chunk(text: str, finish: str | None) -> dict[str, Any]:
        return {
            "id": "c",
            "object": "text_completion",
            "choices": [{"index": 0, "text": text, "finish_reason": finish}],
        }

    answer = assembled(chunk("He", None), chunk("llo", "length"), chat=False)
    assert answer == {
        "id": "c",
        "object": "text_completion",
        "choices": [{"index": 0, "finish_reason": "length", "text": "Hello"}],
    }


def test_usage_on_every_chunk_counts_once_at_its_last_value() -> None:
    answer = assembled(*(vllm([vllm_choice({"content": "a"})], usage={"completion_tokens": n}) for n in (1, 2, 3)))
    assert answer["usage"] == {"completion_tokens": 3}


@given(st.lists(st.text(max_size=8), max_size=10))
def test_text_is_joined_whole(texts: list[str]) -> None:
    answer = assembled(*(vllm([vllm_choice({"content": text})]) for text in texts), vllm([vllm_choice({}, "stop")]))
    assert (answer["choices"][0]["message"]["content"] or "") == "".join(texts)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "index", "role"]), json_values, max_size=4), max_size=5))
def test_deltas_of_any_shape_are_merged_without_an_exception(deltas: list[dict[str, Any]]) -> None:
    into: dict[str, Any] = {}
    for delta in deltas:
        merge(into, delta)
    assert set(into) == {key for delta in deltas for key in delta}


def test_merging_leaves_the_deltas_alone() -> None:
    part = {"index": 0, "function": {"arguments": "{"}}
    into: dict[str, Any] = {}
    merge(into, {"tool_calls": [part]})
    merge(into, {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]})
    assert part == {"index": 0, "function": {"arguments": "{"}}


@pytest.mark.parametrize("chunk", [{}, {"choices": None}, {"choices": []}, {"usage": None}])
def test_chunks_that_say_nothing_change_nothing(chunk: dict[str, Any]) -> None:
    assert assembled(chunk) == {"object": "chat.completion", "choices": []}


def test_every_answer_begins_with_what_no_chunk_repeats() -> None:
    assembler = Assembler(prefix="吾が")
    for index in (0, 1):
        assembler.add(vllm([vllm_choice({"role": "assistant", "content": None}, index=index)]))
        assembler.add(vllm([vllm_choice({"content": "社"}, index=index)]))
    assert [each["message"]["content"] for each in assembler.answer()["choices"]] == ["吾が社", "吾が社"]


@table("odd", [None, [], "x", 7, {"choices": 7}, {"choices": [None, 7]}, {"choices": [{"delta": 3}]}])
def test_chunks_of_another_shape_are_no_exception(odd: Any) -> None:
    said = vllm([vllm_choice({"content": "a"}, "stop")])
    assert assembled(odd, said, odd)["choices"][0]["message"]["content"] == "a"


@pytest.mark.parametrize("index", [None, "x", 0])
def test_one_answer_needs_no_index(index: Any) -> None:
    chunks = [vllm([{**vllm_choice({"content": text}), "index": index}]) for text in "ab"]
    assert [each["message"]["content"] for each in assembled(*chunks)["choices"]] == ["ab"]


@pytest.mark.parametrize(
    "delta",
    [
        lambda n: {"content": "word"},
        lambda n: {"reasoning": "word", "trace": [n]},
        lambda n: {"tool_calls": [{"index": n, "function": {"arguments": "{}"}}]},
        lambda n: {"tool_calls": [{"index": 0, "function": {"arguments": "word"}}]},
    ],
)
def test_a_long_answer_takes_time_by_its_length(delta: Any) -> None:
    chunks = [vllm([vllm_choice(delta(n))]) for n in range(30_000)]
    assembler = Assembler()
    began = time.process_time()
    for each in chunks:
        assembler.add(each)
    assembler.answer()
    assert time.process_time() - began < 3.0


@table(
    ("chunks", "finish", "left_out"),
    [([("a", 1), ("b", 4)], "length", 2), ([("a", 6)], "length", 0), ([], "length", 6), ([("a", 1)], "stop", 0),
     ([("a", None)], "length", 0), ([("a", -3)], "length", 0), ([("a", 9)], "length", 0)],
)  # fmt: skip
def test_tokens_that_no_chunk_had_are_counted(chunks: list[tuple[str, Any]], finish: str, left_out: int) -> None:
    assembler = Assembler(chat=False)
    for text, made in chunks:
        timings = {} if made is None else {"timings": {"predicted_n": made}}
        assembler.add({"choices": [{"index": 0, "text": text, "finish_reason": None}], **timings})
    last = {"index": 0, "text": "", "finish_reason": finish}
    assembler.add({"choices": [last], "usage": {"completion_tokens": 6}, "timings": {"predicted_n": 6}})
    assert assembler.left_out(assembler.answer()) == left_out
