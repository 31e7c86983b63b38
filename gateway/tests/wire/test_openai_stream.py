"""An engine's stream reaches the client byte for byte, and never ends better than it was."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import UpstreamBroke
from hayate.wire.openai_stream import OpenAIStream
from tests.wire.engine_chunks import (
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

WHOLE = b"".join(ANSWER)


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[n : n + size] for n in range(0, len(data), size)]


def relay(stream: OpenAIStream, *reads: bytes) -> bytes:
    """What the client gets; reading stops at a failure, as the pump's does."""
    sent = b""
    for read in reads:
        sent += stream.feed(read)
        if stream.failure or stream.finished:
            return sent
    return sent + stream.end()


@pytest.mark.parametrize("size", [*range(1, 40), 199, 500, len(WHOLE)])
def test_a_stream_passes_byte_for_byte_however_it_arrives(size: int) -> None:
    stream = OpenAIStream(keep_usage=True)

    sent = relay(stream, *pieces(WHOLE, size))

    assert sent == WHOLE
    assert (stream.finished, stream.failure, stream.finish_reason) == (True, None, "stop")
    assert stream.usage.exact
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens, stream.usage.cached_tokens) == (53, 4, 48)


@given(st.lists(st.integers(1, len(WHOLE) - 1), max_size=20))
def test_a_stream_passes_byte_for_byte_cut_anywhere(cuts: list[int]) -> None:
    edges = [0, *sorted(set(cuts)), len(WHOLE)]
    reads = [WHOLE[start:end] for start, end in pairwise(edges)]
    assert relay(OpenAIStream(keep_usage=True), *reads) == WHOLE


@given(st.text(max_size=60))
def test_no_text_is_taken_for_a_sign(text: str) -> None:
    """Whatever a model says (`"usage"`, `[DONE]`, `"finish_reason":"abort"`, `error`), it is text."""
    words = [event(vllm([vllm_choice({"content": each})])) for each in ("a", text, "b")]
    stream = OpenAIStream(keep_usage=True)

    sent = relay(stream, *(ROLE, *words, STOP, DONE))

    assert sent == b"".join((ROLE, *words, STOP, DONE))
    assert stream.failure is None


@pytest.mark.parametrize(
    "text",
    ['"usage":{}', "data: [DONE]\n\n", '"finish_reason":null', '{"error":{"message":"x"}}', '"finish_reason":"abort"'],
)
def test_a_model_may_say_what_the_protocol_says(text: str) -> None:
    words = [event(vllm([vllm_choice({"content": each})])) for each in ("a", text, text)]
    stream = OpenAIStream(keep_usage=False)
    assert relay(stream, ROLE + words[0], words[1] + words[2], STOP, DONE) == b"".join((ROLE, *words, STOP, DONE))
    assert stream.finish_reason == "stop"


def test_usage_that_only_the_gateway_asked_for_is_taken_out() -> None:
    stream = OpenAIStream(keep_usage=False)

    sent = relay(stream, WHOLE)

    assert sent == WHOLE.replace(USAGE_EVENT, b"")
    assert stream.usage.completion_tokens == USAGE["completion_tokens"]


def test_usage_that_rides_on_text_stays() -> None:
    """vLLM's continuous usage: every chunk has text and counts."""
    words = [
        event(vllm([vllm_choice({"reasoning": text})], usage={"prompt_tokens": 51, "completion_tokens": n}))
        for n, text in enumerate(TEXTS, 1)
    ]
    stream = OpenAIStream(keep_usage=False)
    assert relay(stream, ROLE, *words, STOP, DONE) == b"".join((ROLE, *words, STOP, DONE))
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (51, 4)


def test_tokens_are_counted_as_they_pass_when_the_engine_never_says() -> None:
    stream = OpenAIStream(keep_usage=False)
    for read in (ROLE, WORDS[0], WORDS[1] + WORDS[2]):
        stream.feed(read)
    assert stream.usage.completion_tokens == 3
    assert not stream.usage.exact


def test_an_error_event_ends_the_stream_without_the_engines_done() -> None:
    stream = OpenAIStream(keep_usage=True)

    sent = relay(stream, ROLE + WORDS[0], WORDS[1] + CORE_DIED + DONE)

    assert sent == ROLE + WORDS[0] + WORDS[1]
    assert isinstance(stream.failure, UpstreamBroke)
    assert "EngineCore" in stream.failure.english
    assert stream.feed(DONE) == b""


@pytest.mark.parametrize("reads", [(ROLE, WORDS[0], ABORT + USAGE_EVENT + DONE), (ROLE + WORDS[0] + ABORT, DONE)])
def test_an_aborted_answer_is_a_failure_not_an_end(reads: tuple[bytes, ...]) -> None:
    stream = OpenAIStream(keep_usage=True)
    sent = relay(stream, *reads)
    assert sent == ROLE + WORDS[0]
    assert isinstance(stream.failure, UpstreamBroke)
    assert stream.finish_reason is None


@pytest.mark.parametrize("kept", range(len(ANSWER) - 3))
def test_a_stream_that_ends_before_its_finish_is_a_failure(kept: int) -> None:
    stream = OpenAIStream(keep_usage=True)
    sent = relay(stream, *ANSWER[:kept])
    assert sent == b"".join(ANSWER[:kept])
    assert isinstance(stream.failure, UpstreamBroke)
    assert not stream.finished


def test_a_stream_that_ends_inside_an_event_is_a_failure() -> None:
    stream = OpenAIStream(keep_usage=True)
    assert relay(stream, ROLE + WORDS[0] + STOP[:-9]) == ROLE + WORDS[0]
    assert isinstance(stream.failure, UpstreamBroke)


def test_a_missing_done_is_supplied_after_a_finish() -> None:
    stream = OpenAIStream(keep_usage=True)
    assert relay(stream, *ANSWER[:-1]) == WHOLE
    assert (stream.finished, stream.failure) == (True, None)


def test_nothing_passes_after_done() -> None:
    stream = OpenAIStream(keep_usage=True)
    assert relay(stream, ROLE + WORDS[0] + STOP + DONE + WORDS[1]) == ROLE + WORDS[0] + STOP + DONE
    assert stream.end() == b""


def test_an_event_that_is_not_json_is_a_failure() -> None:
    for junk in (b"data: {oops\n\n", b"data: 7\n\n", b"data: null\n\n", b"data: \xff\n\n"):
        stream = OpenAIStream(keep_usage=True)
        assert relay(stream, ROLE + junk) == ROLE
        assert isinstance(stream.failure, UpstreamBroke)


def test_spaced_json_means_the_same() -> None:
    answer = [event(json.loads(each[6:]), spaced=True) for each in ANSWER[:-1]]
    stream = OpenAIStream(keep_usage=False)
    assert relay(stream, *answer, DONE) == b"".join((*answer[:-1], DONE))
    assert stream.usage.completion_tokens == 4


def test_line_ends_of_crlf_pass_as_they_are() -> None:
    answer = [each.replace(b"\n", b"\r\n") for each in ANSWER]
    stream = OpenAIStream(keep_usage=False)
    assert relay(stream, *answer) == b"".join((*answer[:-2], answer[-1]))
    assert (stream.usage.completion_tokens, stream.finished) == (4, True)


def test_comments_pass_and_count_for_nothing() -> None:
    stream = OpenAIStream(keep_usage=False)
    comment = b": keep-alive\n\n"
    sent = relay(stream, comment, ROLE + comment, WORDS[0] + comment, comment + WORDS[1], STOP, DONE)
    assert sent == b"".join((comment, ROLE, comment, WORDS[0], comment, comment, WORDS[1], STOP, DONE))
    assert stream.usage.completion_tokens == 2


def test_the_first_word_is_noticed_and_the_role_is_not_one() -> None:
    stream = OpenAIStream(keep_usage=False)
    stream.feed(ROLE)
    assert not stream.spoke
    stream.feed(WORDS[0])
    assert stream.spoke


@pytest.mark.parametrize(
    "delta",
    [{"reasoning": "hm"}, {"reasoning_content": "hm"}, {"tool_calls": [{"index": 0, "id": "t"}]}, {"content": "a"}],
)
def test_thoughts_and_tool_calls_are_words_too(delta: dict[str, Any]) -> None:
    stream = OpenAIStream(keep_usage=False)
    stream.feed(event(vllm([vllm_choice(delta)])))
    assert stream.spoke


def test_text_completions_have_text_for_delta() -> None:
    def chunk(text: str, finish: str | None = None) -> bytes:
        return event(vllm([{"index": 0, "text": text, "logprobs": None, "finish_reason": finish}]))

    answer = [chunk("He"), chunk("llo"), chunk("", "length"), DONE]
    stream = OpenAIStream(keep_usage=False)
    assert relay(stream, *answer) == b"".join(answer)
    assert (stream.spoke, stream.finish_reason) == (True, "length")


def test_a_finish_may_ride_on_text() -> None:
    last = event(vllm([vllm_choice({"content": "。"}, "length")]))
    stream = OpenAIStream(keep_usage=False)
    assert relay(stream, ROLE, WORDS[0], last, DONE) == ROLE + WORDS[0] + last + DONE
    assert stream.finish_reason == "length"


def test_every_one_of_several_choices_is_counted_and_must_finish() -> None:
    def say(text: str, index: int) -> bytes:
        return event(vllm([vllm_choice({"content": text}, index=index)]))

    def stop(index: int) -> bytes:
        return event(vllm([vllm_choice({}, "stop", index=index)]))

    answer = [say("a", 0), say("b", 1), say("c", 0) + say("d", 1), stop(0)]
    cut, whole = OpenAIStream(keep_usage=False, choices=2), OpenAIStream(keep_usage=False, choices=2)

    assert relay(whole, *answer, stop(1), DONE) == b"".join((*answer, stop(1), DONE))
    assert whole.usage.completion_tokens == 4
    relay(cut, *answer)
    assert isinstance(cut.failure, UpstreamBroke)


@pytest.mark.parametrize("choices", ["text", 7, ["text"], [None], {"index": 0}])
def test_choices_of_an_unknown_shape_are_a_failure_and_what_came_before_is_sent(choices: Any) -> None:
    stream = OpenAIStream(keep_usage=True)
    assert relay(stream, ROLE + event({"choices": choices}) + DONE) == ROLE
    assert isinstance(stream.failure, UpstreamBroke)


@pytest.mark.parametrize("choice", [{"delta": "text"}, {"finish_reason": 7}, {"delta": None, "index": "x"}, {}])
def test_a_choice_of_an_unknown_shape_raises_nothing(choice: dict[str, Any]) -> None:
    stream = OpenAIStream(keep_usage=True)
    assert relay(stream, event({"choices": [choice], "usage": "none", "model": 3}), DONE).endswith(DONE)
