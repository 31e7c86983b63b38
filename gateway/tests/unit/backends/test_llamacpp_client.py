"""llama.cpp's manners: progress nobody asked for, the missing role, a usage event for every choice."""

from __future__ import annotations

import json
import weakref
from typing import Any

import pytest

from hayate.backends.base import Served
from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.wire import sse
from hayate.wire.paths import CHAT, MESSAGES, RESPONSES, TEXT
from tests.unit.backends.prepared import chat, completion, decoder, prepared
from tests.unit.wire.engine_chunks import DONE, event, llamacpp, llamacpp_choice

ENGINE = LlamaCppClient()
ROLE = event(llamacpp([llamacpp_choice({"role": "assistant", "content": None})]))
STOP = event(llamacpp([llamacpp_choice({}, "stop")], timings={"predicted_n": 2}))
PROGRESS = event(llamacpp([llamacpp_choice({})], prompt_progress={"total": 900, "processed": 300}))


def said(text: str, index: int = 0) -> bytes:
    return event(llamacpp([llamacpp_choice({"content": text}, index=index)]))


def usage(prompt: int, completion: int) -> bytes:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return event(llamacpp([], usage=counts))


def relay(fields: dict[str, Any], *reads: bytes) -> list[Any]:
    """The client's events, parsed."""
    stream = decoder(ENGINE, fields)
    out = b"".join(stream.feed(read) for read in reads) + stream.end()
    assert stream.failure is None
    data = [sse.data_of(frame) or b"" for frame in sse.frames(out)]
    return [each if each == b"[DONE]" else json.loads(each) for each in data]


def deltas(events: list[Any]) -> list[Any]:
    return [each["choices"][0]["delta"] for each in events if each != b"[DONE]" and each["choices"]]


def test_a_normal_stream_passes_as_it_is() -> None:
    events = relay({}, ROLE + said("こん"), said("にちは"), STOP, usage(5, 2), DONE)
    assert deltas(events) == [{"role": "assistant", "content": None}, {"content": "こん"}, {"content": "にちは"}, {}]
    assert events[-2]["timings"] == {"predicted_n": 2}


def test_a_missing_role_is_supplied_once() -> None:
    assert deltas(relay({}, said("ん"), said("。"), STOP, DONE)) == [
        {"role": "assistant", "content": "ん"},
        {"content": "。"},
        {},
    ]


def test_a_stream_without_any_text_gets_its_role_too() -> None:
    only = event(llamacpp([llamacpp_choice({}, "length")]))
    assert deltas(relay({}, only, DONE)) == [{"role": "assistant"}]


def test_every_choice_gets_its_role() -> None:
    events = relay({"n": 2}, said("b", 1), said("a", 0), said("c", 1), *(_stop(n) for n in (0, 1)), DONE)
    assert deltas(events)[:3] == [
        {"role": "assistant", "content": "b"},
        {"role": "assistant", "content": "a"},
        {"content": "c"},
    ]


def _stop(index: int) -> bytes:
    return event(llamacpp([llamacpp_choice({}, "stop", index=index)]))


def test_the_usage_of_several_choices_is_joined() -> None:
    asked = {"n": 2, "stream_options": {"include_usage": True}}
    events = relay(asked, said("a"), said("b", 1), _stop(0), usage(7, 3), _stop(1), usage(7, 4), DONE)
    counted = [each["usage"] for each in events if each != b"[DONE]" and each.get("usage")]
    assert counted == [{"prompt_tokens": 7, "completion_tokens": 7, "total_tokens": 14}]
    unasked = relay({"n": 2}, said("a"), said("b", 1), _stop(0), usage(7, 3), _stop(1), usage(7, 4), DONE)
    assert not any(each != b"[DONE]" and each.get("usage") for each in unasked)


def test_progress_is_asked_for_and_shown_to_who_asked() -> None:
    body = json.loads(chat(ENGINE, {"messages": [], "stream": True}).body)
    assert body["return_progress"] is True
    assert len(relay({}, PROGRESS, PROGRESS, ROLE, said("a"), STOP, DONE)) == 4
    assert len(relay({"return_progress": True}, PROGRESS, PROGRESS, ROLE, said("a"), STOP, DONE)) == 6


def test_who_wants_no_progress_is_heard() -> None:
    assert json.loads(chat(ENGINE, {"messages": [], "return_progress": False}).body)["return_progress"] is False


def test_a_text_completion_needs_no_role() -> None:
    stream = decoder(ENGINE, {}, TEXT)
    chunk = event({"choices": [{"index": 0, "text": "ん", "finish_reason": None}]})
    assert stream.feed(chunk) == chunk


def test_what_is_served_is_read() -> None:
    listed = {"data": [{"id": "qwen.gguf"}]}
    props = {"default_generation_settings": {"n_ctx": 4096}, "total_slots": 2}
    assert ENGINE.read_served([listed, props]) == Served(("qwen.gguf",), 4096, slots=2)
    odd: object
    for odd in (None, [], 7, {}, {"default_generation_settings": None, "total_slots": "2"}, {"total_slots": -1}):
        assert ENGINE.read_served([listed, odd]) == Served(("qwen.gguf",), None)


def test_it_is_asked_for_a_stream_always() -> None:
    for path in (CHAT, TEXT, RESPONSES, MESSAGES):
        for streams in (True, False):
            call = prepared(ENGINE, {"prompt": "a", "stream": streams}, path=path)
            assert json.loads(call.request.body)["stream"] is call.request.streams is True
            assert call.decoder is not None
            assert (call.assembly is None) == streams
    assert ENGINE.probe().path == "/health"
    assert [each.path for each in ENGINE.describe()] == ["/v1/models", "/props"]


def test_progress_in_the_middle_is_taken_out_too() -> None:
    """Two prompts: one is still read when the other has begun to speak."""
    asked = {"prompt": ["a", "b"]}
    stream = decoder(ENGINE, asked, TEXT)

    def chunk(text: str, index: int, finish: str | None = None, **more: Any) -> bytes:
        return event(llamacpp([{"text": text, "index": index, "logprobs": None, "finish_reason": finish}], **more))

    progress = chunk("", 0, prompt_progress={"total": 4})
    ends = [chunk("", n, "length", usage={"prompt_tokens": 4 + n, "completion_tokens": 3}) for n in (0, 1)]
    sent = b"".join(map(stream.feed, [progress, chunk("e", 1), progress, chunk("f", 0), progress, *ends, DONE]))
    sent += stream.end()
    assert b"prompt_progress" not in sent
    assert b"usage" not in sent
    assert (stream.failure, stream.finished) == (None, True)
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (9, 6)
    kept = decoder(ENGINE, {**asked, "return_progress": True}, TEXT)
    assert kept.feed(progress) == progress


@pytest.mark.parametrize(
    ("fields", "prefix"),
    [
        ({}, ""),
        ({"prompt": "a"}, ""),
        ({"messages": [{"role": "user", "content": "a"}]}, ""),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "吾が"}]}, "吾が"),
        ({"messages": [{"role": "assistant", "content": None, "tool_calls": []}]}, ""),
        ({"messages": [{"role": "assistant", "content": [{"type": "text", "text": "a"}, {"text": "b"}]}]}, "a\n\nb"),
    ],
)
def test_a_whole_answer_repeats_what_it_continues(fields: dict[str, Any], prefix: str) -> None:
    assembly = prepared(ENGINE, fields).assembly
    assert assembly is not None
    assembly.parts.add({"choices": [{"delta": {"content": "."}}]})
    assert assembly.parts.answer()["choices"][0]["message"]["content"] == prefix + "."


def rest_of(fields: dict[str, Any], tokens: int) -> Any:
    """What is asked for when a stream said "b", one token of it, and `tokens` tokens more are counted."""
    assembly = prepared(ENGINE, fields, path=TEXT).assembly
    assert assembly is not None
    assembly.parts.add({"choices": [{"text": "b"}], "timings": {"predicted_n": 1}})
    assembly.parts.add(
        {"choices": [{"text": "", "finish_reason": "length"}], "usage": {"completion_tokens": 1 + tokens}}
    )
    request = None if assembly.rest is None else assembly.rest(assembly.parts.answer())
    return None if request is None else json.loads(request.body)


def test_the_end_of_a_text_is_asked_for_where_two_answers_make_one() -> None:
    asked = {"prompt": "a", "max_tokens": 9, "temperature": 0}
    sent = {"prompt": "ab", "max_tokens": 2, "stream": False, "model": "m", "return_progress": True}
    assert rest_of(asked, 2) == {**asked, **sent}
    assert rest_of({"prompt": "a"}, 2) == sent
    assert rest_of(asked, 0) is None
    for other in ({"prompt": ["a"]}, {"prompt": [1, 2]}, {**asked, "logprobs": 1}, {**asked, "grammar": "x"}):
        assert rest_of(other, 2) is None
    assert rest_of(asked, 1000) is None


def test_only_texts_that_will_be_told_as_a_whole_are_counted_by_the_chunk() -> None:
    whole, streamed = {"prompt": "a"}, {"prompt": "a", "stream": True}
    assert json.loads(completion(ENGINE, whole).body)["timings_per_token"] is True
    for request in (completion(ENGINE, streamed), chat(ENGINE, {"messages": []})):
        assert "timings_per_token" not in json.loads(request.body)


def test_of_a_request_nothing_long_stays_with_its_answer() -> None:
    class Message(dict[str, Any]):
        """One whose end can be seen."""

    fields = {"messages": [Message(role="user", content="a")]}
    message = weakref.ref(fields["messages"][0])
    call = prepared(ENGINE, fields)
    del fields
    assert call.assembly is not None
    assert message() is None
