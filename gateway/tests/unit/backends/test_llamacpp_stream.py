"""llama.cpp's manners in a stream: progress nobody asked for, the missing role, a usage event for every choice."""

from __future__ import annotations

import json
from typing import Any

from hayate.backends.base import Asked
from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.wire import sse
from hayate.wire.paths import TEXT
from tests.unit.backends.prepared import decoder
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


def test_progress_is_shown_to_who_asked() -> None:
    assert len(relay({}, PROGRESS, PROGRESS, ROLE, said("a"), STOP, DONE)) == 4
    assert len(relay({"return_progress": True}, PROGRESS, PROGRESS, ROLE, said("a"), STOP, DONE)) == 6


def test_the_usage_of_several_choices_is_joined() -> None:
    asked = {"n": 2, "stream_options": {"include_usage": True}}
    events = relay(asked, said("a"), said("b", 1), _stop(0), usage(7, 3), _stop(1), usage(7, 4), DONE)
    counted = [each["usage"] for each in events if each != b"[DONE]" and each.get("usage")]
    assert counted == [{"prompt_tokens": 7, "completion_tokens": 7, "total_tokens": 14}]
    unasked = relay({"n": 2}, said("a"), said("b", 1), _stop(0), usage(7, 3), _stop(1), usage(7, 4), DONE)
    assert not any(each != b"[DONE]" and each.get("usage") for each in unasked)


def test_a_text_completion_needs_no_role() -> None:
    stream = decoder(ENGINE, {}, TEXT)
    chunk = event({"choices": [{"index": 0, "text": "ん", "finish_reason": None}]})
    assert stream.feed(chunk) == chunk


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


def text(said: str, index: int, finish: str | None = None, **more: Any) -> bytes:
    return event(llamacpp([{"text": said, "index": index, "logprobs": None, "finish_reason": finish}], **more))


def prompts_usage(prompt: int, cached: int, completion: int) -> dict[str, Any]:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {**counts, "prompt_tokens_details": {"cached_tokens": cached}}


def test_each_prompt_of_a_list_counts_once_however_many_answers_it_gets() -> None:
    asked = {"prompt": ["a", "b"], "n": 2, "stream_options": {"include_usage": True}}
    of_prompt = {0: prompts_usage(6, 5, 3), 1: prompts_usage(10, 0, 4)}
    ends = [text("", n, "length", usage=of_prompt[n // 2]) for n in (1, 3, 0, 2)]
    stream = decoder(ENGINE, asked, TEXT)
    sent = b"".join(map(stream.feed, [text("e", 1), text("f", 3), *ends, DONE])) + stream.end()
    stream.usage.settle(whole=True)
    counted = stream.usage
    assert (counted.prompt_tokens, counted.cached_tokens, counted.completion_tokens) == (16, 5, 14)
    assert counted.exact
    told = [json.loads(sse.data_of(frame) or b"") for frame in sse.frames(sent)[:-1]]
    last = [each["usage"] for each in told if each.get("usage")][-1]
    assert last == prompts_usage(16, 5, 14), "the last one that a client sees is of all of them"


def test_the_answer_to_a_list_of_prompts_tells_the_tokens_of_all() -> None:
    prepared = ENGINE.prepare(Asked(TEXT, "m", {"prompt": ["a", "b"]}), "m")
    assert prepared.decoder is not None
    assert prepared.assembly is not None
    reads = [text("e", 0), text("f", 1), *(text("", n, "stop", usage=prompts_usage(6 + n, 1, 3)) for n in (0, 1)), DONE]
    for frame in sse.frames(b"".join(map(prepared.decoder.feed, reads))):
        if (data := sse.data_of(frame)) != b"[DONE]":
            prepared.assembly.parts.add(json.loads(data or b"null"))
    assert prepared.assembly.parts.answer()["usage"] == prompts_usage(13, 2, 6)


def test_a_prompts_length_is_known_before_it_is_read() -> None:
    for fields, tokens in (({}, (900, 20)), ({"return_progress": True}, (900, 20))):
        stream = decoder(ENGINE, fields)
        stream.feed(event(llamacpp([llamacpp_choice({})], prompt_progress={"total": 900, "cache": 20})) + ROLE)
        assert not stream.usage.begun
        stream.feed(said("a") + said("b"))
        stream.usage.settle(whole=False)
        assert (stream.usage.prompt_tokens, stream.usage.cached_tokens) == tokens
        assert (stream.usage.completion_tokens, stream.usage.exact) == (2, False)


def test_progress_of_an_unknown_shape_says_nothing() -> None:
    odd: list[Any] = [True, [1], "x", {"total": -5}, {"total": "7", "cache": {}}, {"total": 1e30}]
    for progress in odd:
        stream = decoder(ENGINE, {"prompt": ["a", "b"]}, TEXT)
        for index in (0, -1, 99, None):
            choice = {"text": "", "index": index, "finish_reason": None}
            assert stream.feed(event(llamacpp([choice], prompt_progress=progress))) == b""
        stream.feed(text("e", 1))
        stream.usage.settle(whole=False)
        assert (stream.failure, stream.usage.prompt_tokens) == (None, 0)
