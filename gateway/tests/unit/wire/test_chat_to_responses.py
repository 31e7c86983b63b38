"""A chat's stream as a response's: OpenAI's events, in OpenAI's order, whatever the engine sends and however it is cut."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.upstream_errors import AnswerTooLarge, UpstreamBroke
from hayate.wire import chat_to_responses, sse
from hayate.wire.chat_to_responses import Makes, ResponsesStream
from hayate.wire.openai_stream import OpenAIStream
from hayate.wire.response_object import ResponseObject, settings_of
from hayate.wire.tool_names import Called, ToolNames
from tests.support.responses import Followed, followed, whole
from tests.unit.wire.engine_chunks import (
    ABORT,
    ANSWER,
    CORE_DIED,
    DONE,
    ROLE,
    STOP,
    TEXTS,
    USAGE,
    USAGE_EVENT,
    WORDS,
    event,
    vllm,
    vllm_choice,
)

Events = list[dict[str, Any]]
SPAWN, PATCH = Called("spawn", "agents"), Called("patch", custom=True)


def stream(*, quiet: bool = False, one_call: bool = False) -> ResponsesStream:
    numbers, names = count(), ToolNames()
    for tool in (SPAWN, PATCH):
        names.add(tool)
    makes = Makes(new_id=lambda prefix: f"{prefix}_{next(numbers)}", now=lambda: 1_700_000_009.5, names=names)
    answer = ResponseObject("resp_1", 1_700_000_000, settings_of({}, "tiny"))
    return ResponsesStream(OpenAIStream(keep_usage=True), answer, makes, quiet=quiet, one_call=one_call)


def chunk(delta: dict[str, Any], finish: str | None = None, **choice: Any) -> bytes:
    return event(vllm([{**vllm_choice(delta, finish), **choice}]))


def call(index: int, arguments: str, **more: Any) -> dict[str, Any]:
    name = more.pop("name", None)
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"index": index, "function": function, **more}


def read(raw: bytes) -> Events:
    frames = [frame for frame in sse.frames(raw) if sse.data_of(frame)]
    found = [json.loads(sse.data_of(frame) or b"") for frame in frames]
    assert [sse.event_of(frame).decode() for frame in frames] == [each["type"] for each in found]
    return found


def told(*reads: bytes, **how: bool) -> Events:
    decoder = stream(**how)
    raw = b"".join(decoder.feed(each) for each in reads) + decoder.end()
    assert (decoder.finished, decoder.failure) == (True, None)
    return read(raw)


def kinds(events: Events) -> list[str]:
    """Without the deltas' repetition."""
    names = [each["type"].removeprefix("response.") for each in events]
    return [name for n, name in enumerate(names) if n == 0 or name != names[n - 1]]


def output(events: Events) -> list[dict[str, Any]]:
    followed(events)
    items: list[dict[str, Any]] = events[-1]["response"]["output"]
    return items


TEXT = ["output_item.added", "content_part.added", "output_text.delta", "output_text.done", "content_part.done", "output_item.done"]  # fmt: skip  # noqa: E501
THOUGHT = [each.replace("output_text", "reasoning_text") for each in TEXT]
CALL = ["output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done"]
BEGIN, END = ["created", "in_progress"], ["completed"]


def test_a_text_is_one_message_with_openais_events_in_openais_order() -> None:
    events = told(*ANSWER)
    seen = followed(events)
    assert kinds(events) == [*BEGIN, *TEXT, *END]
    assert [each["delta"] for each in events if each["type"] == "response.output_text.delta"] == list(TEXTS)
    assert seen.final is not None
    assert seen.final.output_text == "".join(TEXTS)
    assert seen.final.model == "tiny"
    assert (seen.final.created_at, seen.final.completed_at) == (1_700_000_000, 1_700_000_009)
    assert seen.items[0]["status"] == "completed"


def test_usage_is_the_engines_and_the_books_have_the_same() -> None:
    details = {**USAGE, "completion_tokens_details": {"reasoning_tokens": 3}}
    decoder = stream()
    events = read(decoder.feed(ROLE + b"".join(WORDS) + STOP + event(vllm([], usage=details)) + DONE))
    assert events[-1]["response"]["usage"] == {
        "input_tokens": 53,
        "input_tokens_details": {"cached_tokens": 48, "cache_write_tokens": 0},
        "output_tokens": 4,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 57,
    }
    assert (decoder.usage.prompt_tokens, decoder.usage.completion_tokens, decoder.usage.exact) == (53, 4, True)
    assert (decoder.finish_reason, decoder.has_output) == ("response.completed", True)


def test_an_engine_that_tells_no_usage_is_counted_by_its_deltas() -> None:
    usage = told(ROLE, *WORDS, STOP, DONE)[-1]["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (0, 4, 4)


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_reasoning_is_an_item_of_its_own_before_the_text(name: str) -> None:
    events = told(ROLE, chunk({name: "まず"}), chunk({name: "考える"}), *WORDS, STOP, USAGE_EVENT, DONE)
    thought, said = output(events)
    assert kinds(events) == [*BEGIN, *THOUGHT, *TEXT, *END]
    assert (thought["type"], thought["summary"]) == ("reasoning", [])
    assert thought["content"] == [{"type": "reasoning_text", "text": "まず考える"}]
    assert said["content"][0]["text"] == "".join(TEXTS)


def test_a_refusal_is_a_part_of_the_message() -> None:
    events = told(ROLE, chunk({"content": "Hm."}), chunk({"refusal": "I ca"}), chunk({"refusal": "n't."}), STOP, DONE)
    [said] = output(events)
    assert said["content"] == [
        {"type": "output_text", "text": "Hm.", "annotations": [], "logprobs": []},
        {"type": "refusal", "refusal": "I can't."},
    ]
    assert "refusal.done" in kinds(events)


def test_function_calls_follow_one_another_each_with_its_arguments() -> None:
    events = told(
        ROLE,
        chunk({"content": "Let me see."}),
        chunk({"tool_calls": [call(0, "", id="call_a", type="function", name="weather")]}),
        chunk({"tool_calls": [call(0, '{"city":')]}),
        # vLLM writes the end of one and the start of the next in one delta
        chunk({"tool_calls": [call(0, '"東京"}'), call(1, "", id="call_b", type="function", name="clock")]}),
        chunk({"tool_calls": [call(1, "{}")]}),
        chunk({}, "tool_calls"),
        USAGE_EVENT,
        DONE,
    )
    _, first, second = output(events)
    assert kinds(events) == [*BEGIN, *TEXT, *CALL, *CALL, *END]
    assert (first["call_id"], first["name"], first["arguments"]) == ("call_a", "weather", '{"city":"東京"}')
    assert (second["call_id"], second["name"], second["arguments"]) == ("call_b", "clock", "{}")
    assert events[-1]["response"]["status"] == "completed"


def test_calls_that_an_engine_makes_at_the_same_time_lose_nothing() -> None:
    both = [call(0, '{"a"', id="x", name="one"), call(1, '{"b"', id="y", name="two")]
    events = told(ROLE, chunk({"tool_calls": both}), *(chunk({"tool_calls": [call(n, ":1}")]}) for n in (0, 1)), STOP)
    assert [item["arguments"] for item in output(events)] == ['{"a":1}', '{"b":1}']


def test_text_after_a_call_is_another_message() -> None:
    events = told(
        ROLE, WORDS[0], chunk({"tool_calls": [call(0, "{}", id="x", name="f")]}), WORDS[1], chunk({}, "tool_calls"), DONE
    )  # fmt: skip
    assert [item["type"] for item in output(events)] == ["message", "function_call", "message"]


def test_a_call_without_an_id_gets_one_and_a_name_may_be_said_again() -> None:
    whole_call = [call(0, "", name="f"), call(0, "{}", name="f")]
    [item] = output(told(ROLE, *(chunk({"tool_calls": [each]}) for each in whole_call), STOP, DONE))
    assert (item["call_id"], item["name"], item["arguments"]) == ("call_0", "f", "{}")


def test_arguments_that_come_as_an_object_are_told_as_text() -> None:
    odd = {"index": 0, "id": "x", "function": {"name": "f", "arguments": {"city": "東京"}}}
    [item] = output(told(ROLE, chunk({"tool_calls": [odd]}), STOP, DONE))
    assert item["arguments"] == '{"city":"東京"}'


def test_who_allows_one_call_gets_one_whatever_the_engine_makes() -> None:
    two = [call(0, "{}", id="x", name="f"), call(1, "{}", id="y", name="g")]
    reads = (ROLE, chunk({"tool_calls": two}), chunk({"tool_calls": [call(1, "")]}), chunk({}, "tool_calls"), DONE)
    assert [item["name"] for item in output(told(*reads, one_call=True))] == ["f"]
    assert [item["name"] for item in output(told(*reads))] == ["f", "g"]


@pytest.mark.parametrize(("finish", "reason"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
def test_a_cut_answer_is_incomplete_and_says_why(finish: str, reason: str) -> None:
    events = told(ROLE, *WORDS, chunk({}, finish), USAGE_EVENT, DONE)
    [item] = output(events)
    assert (events[-1]["type"], item["status"]) == ("response.incomplete", "incomplete")
    assert events[-1]["response"]["incomplete_details"] == {"reason": reason}


def test_a_call_that_is_cut_is_incomplete_and_a_whole_one_before_it_is_not() -> None:
    two = [call(0, "{}", id="x", name="f"), call(1, '{"a', id="y", name="g")]
    events = told(ROLE, chunk({"tool_calls": two}), chunk({}, "length"), DONE)
    assert [item["status"] for item in output(events)] == ["completed", "incomplete"]


def test_log_probabilities_go_with_their_text() -> None:
    token = {"token": "こん", "logprob": -0.5, "bytes": [227], "top_logprobs": [{"token": "x", "logprob": -2}]}
    part = {**token, "token": "\ufffd", "bytes": None}
    events = told(
        ROLE,
        chunk({"content": ""}, logprobs={"content": [part]}),
        chunk({"content": "こん"}, logprobs={"content": [token]}),
        STOP,
        DONE,
    )
    [item] = output(events)
    [delta] = [each for each in events if each["type"] == "response.output_text.delta"]
    assert [each["token"] for each in delta["logprobs"]] == ["\ufffd", "こん"]
    assert delta["logprobs"][1] == {"token": "こん", "logprob": -0.5, "top_logprobs": [{"token": "x", "logprob": -2}]}
    top = {"token": "x", "logprob": -2, "bytes": [120]}
    assert item["content"][0]["logprobs"][1] == {**token, "top_logprobs": [top]}


def test_other_answers_than_the_first_are_no_part_of_a_response() -> None:
    events = told(ROLE, WORDS[0], event(vllm([vllm_choice({"content": "other"}, index=1)])), STOP, DONE)
    assert output(events)[0]["content"][0]["text"] == TEXTS[0]


def test_an_answer_without_a_word_is_a_response_without_items() -> None:
    assert output(told(ROLE, STOP, USAGE_EVENT, DONE)) == []


def test_halves_of_a_character_arrive_whole() -> None:
    half = [b'data: {"choices":[{"index":0,"delta":{"content":"\\ud83d"},"finish_reason":null}]}\n\n',
            b'data: {"choices":[{"index":0,"delta":{"content":"\\ude00"},"finish_reason":null}]}\n\n']  # fmt: skip
    assert output(told(*half, STOP, DONE))[0]["content"][0]["text"] == "😀"


def test_comments_pass_and_end_no_event() -> None:
    decoder = stream()
    raw = decoder.feed(ROLE + WORDS[0]) + decoder.feed(b": keep-alive\n\n") + decoder.feed(STOP + DONE)
    assert b": keep-alive\n\n" in raw
    followed(read(raw))


@pytest.mark.parametrize("broken", [(ROLE, WORDS[0]), (ROLE, WORDS[0], ABORT), (ROLE, WORDS[0] + CORE_DIED + DONE)])
def test_a_broken_answer_has_no_end(broken: Iterable[bytes]) -> None:
    decoder = stream()
    events = read(b"".join(map(decoder.feed, broken)) + decoder.end())
    assert isinstance(decoder.failure, UpstreamBroke)
    assert not decoder.finished
    assert kinds(events) == [*BEGIN, "output_item.added", "content_part.added", "output_text.delta"]
    [item] = decoder.output
    assert (item["status"], item["content"][0]["text"]) == ("in_progress", TEXTS[0])
    with pytest.raises(ValueError, match="without an end"):
        _ = decoder.response


def test_what_came_before_an_event_that_cant_be_read_still_goes_out() -> None:
    decoder = stream()
    odd = event({"choices": [{"index": 0, "delta": {"content": "x"}, "logprobs": {"content": 5}}]})
    worse = event({"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"name": [0] * 9}}]}}]})
    events = read(decoder.feed(ROLE + WORDS[0] + odd + worse + STOP + DONE))
    assert followed(events).items[0]["content"][0]["text"] == TEXTS[0] + "x"


def test_a_text_that_is_miswritten_is_told_as_it_was_meant() -> None:
    odd = WORDS[0].replace("こん".encode(), rb"C:\dir \x")
    assert (
        output(told(ROLE, WORDS[0], WORDS[0], odd, STOP, DONE))[0]["content"][0]["text"] == TEXTS[0] * 2 + "C:\\dir \\x"
    )


def test_a_quiet_one_writes_nothing_and_has_the_same_response() -> None:
    loud, quiet = stream(), stream(quiet=True)
    events = read(b"".join(map(loud.feed, ANSWER)))
    assert b"".join(map(quiet.feed, ANSWER)) + quiet.end() == b""
    assert quiet.response == loud.response == events[-1]["response"]
    whole(quiet.response)


def test_what_waits_for_more_goes_out_when_nothing_comes() -> None:
    decoder = ResponsesStream(
        OpenAIStream(keep_usage=False),
        ResponseObject("resp_1", 0, settings_of({}, "m")),
        Makes(new_id=str, now=lambda: 0.0),
    )
    assert decoder.release() == b""
    before = decoder.feed(ROLE + WORDS[0] + STOP)
    assert kinds(read(before + decoder.release()))[-1] == "output_item.done"
    assert kinds(read(decoder.end())) == ["completed"]


def test_an_answer_that_does_not_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_to_responses, "MAX_ANSWER_BYTES", 2000)
    decoder = stream()
    for _ in range(20):
        decoder.feed(WORDS[0])
        if decoder.failure:
            break
    assert isinstance(decoder.failure, AnswerTooLarge)


DELTAS = st.one_of(
    st.text(max_size=4).map(lambda text: {"content": text}),
    st.text(max_size=4).map(lambda text: {"reasoning": text}),
    st.text(max_size=4).map(lambda text: {"refusal": text}),
    st.tuples(st.integers(0, 2), st.sampled_from(["", "{", "}", "{}", '"a":1'])).map(
        lambda pair: {"tool_calls": [call(*pair, id=f"c{pair[0]}", name="f")]}
    ),
    st.just({}),
    st.just({"content": "a", "reasoning": "b", "tool_calls": [call(0, "{}")]}),
)


@given(
    st.lists(DELTAS, max_size=12),
    st.sampled_from(["stop", "length", "tool_calls"]),
    st.lists(st.integers(1, 2000), max_size=8),
    st.booleans(),
)
def test_events_keep_their_order_and_do_not_depend_on_how_bytes_arrive(
    deltas: list[dict[str, Any]], finish: str, cuts: list[int], counted: bool
) -> None:
    raw = b"".join([ROLE, *map(chunk, deltas), chunk({}, finish), USAGE_EVENT if counted else b"", DONE])
    edges = [0, *sorted(cut for cut in set(cuts) if cut < len(raw)), len(raw)]
    decoder = stream()
    cut = b"".join(decoder.feed(raw[start:end]) for start, end in pairwise(edges)) + decoder.end()
    at_once = stream()
    assert cut == at_once.feed(raw) + at_once.end()
    events = read(cut)
    followed(events)
    said = "".join(each.get("content", "") for each in deltas)
    assert "".join(each["delta"] for each in events if each["type"] == "response.output_text.delta") == said


@given(st.binary(max_size=200))
def test_whatever_an_engine_sends_is_events_or_a_failure(junk: bytes) -> None:
    decoder, seen = stream(), Followed()
    try:
        raw = decoder.feed(ROLE + WORDS[0] + junk + b"\n\n") + decoder.end()
    except UpstreamBroke:
        return
    for each in read(raw):
        seen.take(each)
    assert decoder.failure or decoder.finished or seen.final is None


@given(st.text(max_size=30), st.integers(1, 9))
def test_a_tool_of_any_kind_is_called_as_its_caller_names_it(text: str, size: int) -> None:
    arguments = json.dumps({"input": text})
    pieces = [arguments[at : at + size] for at in range(0, len(arguments), size)]
    calls = [chunk({"tool_calls": [call(0, "{}", id="a", name="agents__spawn")]})]
    calls += [chunk({"tool_calls": [call(1, "", id="b", name="patch")]})]
    calls += [chunk({"tool_calls": [call(1, piece)]}) for piece in pieces]
    events = told(ROLE, *calls, chunk({}, "tool_calls"), USAGE_EVENT, DONE)
    spawn, patch = output(events)
    assert (spawn["type"], spawn["namespace"], spawn["name"]) == ("function_call", "agents", "spawn")
    assert (patch["type"], patch["name"], patch["input"]) == ("custom_tool_call", "patch", text)
    assert patch["id"].startswith("ctc_")
    decoder = stream(quiet=True)
    for each in (ROLE, *calls, chunk({}, "tool_calls"), USAGE_EVENT, DONE):
        decoder.feed(each)
    assert [decoder.response["output"][n] | {"id": ""} for n in (0, 1)] == [spawn | {"id": ""}, patch | {"id": ""}]
