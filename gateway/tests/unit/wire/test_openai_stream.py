"""An engine's stream reaches the client byte for byte, and never ends better than it was."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.upstream_errors import UpstreamBroke
from hayate.wire.openai_stream import OpenAIStream
from tests.support.tables import table
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
    llamacpp,
    llamacpp_choice,
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


@table("size", [*range(1, 40), 199, 500, len(WHOLE)])
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


@table(
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

    assert sent.startswith(ROLE + b"".join(WORDS))
    assert sent.endswith(DONE)
    assert sent.count(b"data:") == len(ANSWER) - 1
    assert b'"usage"' not in sent
    assert stream.usage.completion_tokens == USAGE["completion_tokens"]


@pytest.mark.parametrize("keep_usage", [True, False])
def test_usage_that_rides_on_text_is_only_for_who_asked(keep_usage: bool) -> None:
    """vLLM's continuous usage: every chunk has text and counts."""

    def word(n: int, text: str) -> dict[str, Any]:
        return vllm([vllm_choice({"reasoning": text})], usage={"prompt_tokens": 51, "completion_tokens": n})

    words = [word(n, text) for n, text in enumerate(TEXTS, 1)]
    without = [{key: value for key, value in each.items() if key != "usage"} for each in words]
    stream = OpenAIStream(keep_usage=keep_usage)
    sent = relay(stream, ROLE, *map(event, words), STOP, DONE)
    assert sent == b"".join((ROLE, *map(event, words if keep_usage else without), STOP, DONE))
    assert (stream.usage.prompt_tokens, stream.usage.completion_tokens) == (51, 4)


@pytest.mark.parametrize("usage", ["null", "{}", "[]", "0"])
def test_usage_that_says_nothing_changes_nothing(usage: str) -> None:
    words = [each.replace(b'"choices"', b'"usage":%b,"choices"' % usage.encode()) for each in (*WORDS, STOP)]
    stream = OpenAIStream(keep_usage=False)
    assert relay(stream, *words, DONE) == b"".join((*words, DONE))
    assert stream.usage.completion_tokens == 4


@pytest.mark.parametrize(
    ("finish", "after", "moved"),
    [
        (STOP, USAGE_EVENT, {"system_fingerprint": "vllm-0.32.0"}),
        (
            event(llamacpp([llamacpp_choice({}, "stop")])),
            event(llamacpp([], usage=USAGE, timings={"predicted_n": 4})),
            {"timings": {"predicted_n": 4}},
        ),
        (STOP, event(vllm([], usage=USAGE, service_tier=None)), {}),
    ],
    ids=["vllm", "llama.cpp", "nothing"],
)
def test_what_the_engine_said_beside_usage_goes_where_it_says_it_unasked(
    finish: bytes, after: bytes, moved: dict[str, Any]
) -> None:
    stream = OpenAIStream(keep_usage=False)
    sent = relay(stream, ROLE, *WORDS, finish, after, DONE)
    *head, last, done = sent.split(b"\n\n")[:-1]
    assert b"\n\n".join(head) + b"\n\n" == b"".join((ROLE, *WORDS))
    assert json.loads(last[6:]) == {**json.loads(finish[6:]), **moved}
    assert done + b"\n\n" == DONE


@table("rest", [b"", DONE, b": ping\n\n", CORE_DIED, event({"choices": [{"delta": {}}]})])
def test_a_finish_that_was_held_back_goes_out_before_whatever_follows(rest: bytes) -> None:
    stream = OpenAIStream(keep_usage=False)
    assert stream.feed(ROLE + WORDS[0] + STOP) == ROLE + WORDS[0]
    sent = stream.feed(rest) + stream.end()
    assert sent.startswith((STOP, rest + STOP))


def test_a_finish_that_nothing_follows_is_released() -> None:
    stream = OpenAIStream(keep_usage=False)
    stream.feed(ROLE + WORDS[0] + STOP)
    assert stream.release() == STOP
    assert stream.release() == b""
    assert stream.feed(USAGE_EVENT + DONE) == DONE


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


@table("kept", range(len(ANSWER) - 3))
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


@pytest.mark.parametrize("junk", [b"data: {oops\n\n", b"data: \xff\n\n", b"data: " + b"[" * 5000 + b"\n\n"])
def test_an_event_that_is_not_json_is_a_failure(junk: bytes) -> None:
    stream = OpenAIStream(keep_usage=True)
    assert relay(stream, ROLE + junk) == ROLE
    assert isinstance(stream.failure, UpstreamBroke)


NOTHINGS = [
    b"data: null\n\n",
    b"data: \n\n",
    b"data:\n\n",
    b"data: []\n\n",
    b'data: "ping"\n\n',
    b"data: 7\n\n",
    b"data: {}\n\n",
    b"event: keepalive\ndata: \n\n",
    b"event: ping\ndata: {}\n\n",
    b"event: ping\ndata: null\n\n",
    event({"choices": None}),
    event({"choices": [None]}),
    event({"choices": [None, None]}),
    event({"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}),
    event({"choices": [None]}, spaced=True),
    event({"choices": [None]}, eol="\r\n"),
]


@table("keep_usage", [True, False])
@table("at", range(len(ANSWER)))
@table("nothing", NOTHINGS)
def test_events_that_carry_nothing_are_left_out(nothing: bytes, at: int, keep_usage: bool) -> None:
    stream = OpenAIStream(keep_usage=keep_usage)
    without = relay(OpenAIStream(keep_usage=keep_usage), *ANSWER)
    assert relay(stream, *ANSWER[:at], nothing, *ANSWER[at:]) == without
    assert (stream.failure, stream.usage.completion_tokens) == (None, 4)


def test_a_choice_that_is_null_does_not_reach_a_client_beside_one_that_is_not() -> None:
    said = llamacpp_choice({"content": "a"})
    stream = OpenAIStream(keep_usage=True)
    assert stream.feed(event({"choices": [None, said]})) == event({"choices": [said]})


@table("choices", ["text", 7, ["text"], [{}, 7], {"index": 0}])
def test_choices_of_an_unknown_shape_are_a_failure_and_what_came_before_is_sent(choices: Any) -> None:
    stream = OpenAIStream(keep_usage=True)
    assert relay(stream, ROLE + event({"choices": choices}) + DONE) == ROLE
    assert isinstance(stream.failure, UpstreamBroke)


@table("spaced", [True, False])
@table("first", [True, False])
@table("odd", ['"\\ud83e"', '"\\udd8a"', '"\\u0000"', '"a","logprob":NaN', '"a","x":[-Infinity,1e999]'])
def test_json_that_clients_take_passes_as_it_is(odd: str, first: bool, spaced: bool) -> None:
    said = b'data: {"choices":[{"index":0,"delta":{"content":%b},"finish_reason":null}]}\n\n' % odd.encode()
    if spaced:
        said = said.replace(b'":', b'": ').replace(b",", b", ")
    answer = [ROLE, *([] if first else [WORDS[0]]), said, said, STOP, DONE]
    stream = OpenAIStream(keep_usage=False)
    assert relay(stream, *answer) == b"".join(answer)
    assert stream.usage.completion_tokens == (2 if first else 3)


def test_bytes_that_are_no_characters_pass_as_they_are() -> None:
    cut = [each.replace("こん".encode(), half) for half in (b"\xe6\x97", b"\xa5") for each in (WORDS[0],)]
    spaced = [each.replace(b'":', b'": ') for each in cut]
    stream = OpenAIStream(keep_usage=False)
    assert relay(stream, *cut, *spaced, STOP, DONE) == b"".join((*cut, *spaced, STOP, DONE))


@table("index", [None, "x", 3, -1, {}])
def test_one_answer_needs_no_index(index: Any) -> None:
    words = [event(vllm([{**vllm_choice({"content": text}), "index": index}])) for text in TEXTS]
    last = event(vllm([{**vllm_choice({}, "stop"), "index": index}]))
    for finish in (STOP, last):
        stream = OpenAIStream(keep_usage=False)
        assert relay(stream, *words, finish) == b"".join((*words, finish, DONE))
        assert stream.failure is None


@table("eol", ["\n", "\r\n"])
@table("lacks", [1, 2, 3, 4])
@table("last", range(2, len(ANSWER)))
def test_the_bodys_end_ends_an_event_whatever_line_end_it_lacks(last: int, lacks: int, eol: str) -> None:
    answer = [each.replace(b"\n", eol.encode()) for each in ANSWER[: last + 1]]
    ended = answer[-1].rstrip(b"\r\n")
    answer[-1] = answer[-1][: max(len(ended), len(answer[-1]) - lacks)]
    stream = OpenAIStream(keep_usage=True)
    sent = relay(stream, b"".join(answer))
    finished = last > len(WORDS)
    assert (stream.failure is None) is finished
    whole = [*ANSWER[: last + 1], *([DONE] if finished and last < len(ANSWER) - 1 else [])]
    assert sent.replace(b"\r", b"") == b"".join(whole)
    assert stream.finished is finished


@pytest.mark.parametrize("eol", ["\n", "\r"])
def test_an_engine_that_ends_events_with_one_line_end_is_read_when_it_has_ended(eol: str) -> None:
    stream = OpenAIStream(keep_usage=True)
    assert relay(stream, *(each[:-2] + eol.encode() for each in ANSWER)) == WHOLE


def test_an_engine_that_ends_lines_with_cr_is_read_when_it_has_ended() -> None:
    stream = OpenAIStream(keep_usage=True)
    assert relay(stream, *(each.replace(b"\n", b"\r") for each in ANSWER)) == WHOLE


ERRORS = {
    "an event of that name": b'event: error\ndata: {"message":"CUDA out of memory","code":500}\n\n',
    "a bare text": b'event: error\ndata: "CUDA out of memory"\n\n',
    "openai's": event({"error": {"message": "CUDA out of memory", "type": "server_error", "code": 500}}),
    "spaced": event({"error": {"message": "CUDA out of memory"}}, spaced=True),
    "flat": event({"error": "CUDA out of memory"}),
    "in a chunk": event(vllm([vllm_choice({"content": ""}, "error")], error={"message": "CUDA out of memory"})),
    "in a chunk of text": event(vllm([vllm_choice({"content": "a"})], error={"message": "CUDA out of memory"})),
    "a bare line": b'{"error":{"message":"CUDA out of memory","code":500}}\n\n',
}


@table("before", range(len(ANSWER) - 1))
@table("kind", ERRORS)
@table("done", [DONE, b""])
def test_an_error_inside_a_stream_is_a_failure_with_the_engines_words(kind: str, before: int, done: bytes) -> None:
    for lacks in (0, 1, 2) if not done else (0,):
        stream = OpenAIStream(keep_usage=True)
        told = ERRORS[kind][: len(ERRORS[kind]) - lacks]
        assert relay(stream, *ANSWER[:before], told + done) == b"".join(ANSWER[:before])
        assert stream.failure is not None
        assert "CUDA out of memory" in stream.failure.english


def test_spaced_json_means_the_same() -> None:
    answer = [event(json.loads(each[6:]), spaced=True) for each in ANSWER[:-1]]
    stream = OpenAIStream(keep_usage=True)
    assert relay(stream, *answer, DONE) == b"".join((*answer, DONE))
    assert stream.usage.completion_tokens == 4


def test_line_ends_of_crlf_pass_as_they_are() -> None:
    answer = [each.replace(b"\n", b"\r\n") for each in ANSWER]
    stream = OpenAIStream(keep_usage=True)
    assert relay(stream, *answer) == b"".join(answer)
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
    assert not stream.has_output
    stream.feed(WORDS[0])
    assert stream.has_output


@pytest.mark.parametrize(
    "delta",
    [{"reasoning": "hm"}, {"reasoning_content": "hm"}, {"tool_calls": [{"index": 0, "id": "t"}]}, {"content": "a"}],
)
def test_thoughts_and_tool_calls_are_words_too(delta: dict[str, Any]) -> None:
    stream = OpenAIStream(keep_usage=False)
    stream.feed(event(vllm([vllm_choice(delta)])))
    assert stream.has_output


def test_text_completions_have_text_for_delta() -> None:
    def chunk(text: str, finish: str | None = None) -> bytes:
        return event(vllm([{"index": 0, "text": text, "logprobs": None, "finish_reason": finish}]))

    answer = [chunk("He"), chunk("llo"), chunk("", "length"), DONE]
    stream = OpenAIStream(keep_usage=False)
    assert relay(stream, *answer) == b"".join(answer)
    assert (stream.has_output, stream.finish_reason) == (True, "length")


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


@pytest.mark.parametrize("choice", [{"delta": "text"}, {"finish_reason": 7}, {"delta": None, "index": "x"}, {}])
def test_a_choice_of_an_unknown_shape_raises_nothing(choice: dict[str, Any]) -> None:
    stream = OpenAIStream(keep_usage=True)
    assert relay(stream, event({"choices": [choice], "usage": "none", "model": 3}), DONE).endswith(DONE)


@pytest.mark.parametrize(
    "texts", [["a", "", "b"], ["", "a", "b"], ["a", "", "", "", "", "b"], ["a", "b", *[""] * 9, 'say "c"']]
)
def test_an_empty_text_counts_alike_whichever_way_it_takes(texts: list[str]) -> None:
    """Together in one read, each in its own, and as a lane asks: it counts as a token where a text came before it."""
    words = [event(vllm([vllm_choice({"content": each})])) for each in texts]
    counted = set()
    for reads in ([b"".join(words)], words):
        stream = OpenAIStream(keep_usage=True)
        assert b"".join(map(stream.feed, reads)) == b"".join(words)
        counted.add(stream.usage.completion_tokens)
    stream = OpenAIStream(keep_usage=True)
    for each in words:
        if stream.plain_shape(each) is None:
            assert stream.feed(each) == each
        else:
            stream.usage.seen(1)
    counted.add(stream.usage.completion_tokens)
    assert counted == {len(texts) - (texts[0] == "")}
