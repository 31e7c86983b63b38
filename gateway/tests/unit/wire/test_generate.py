"""/generate_stream's own events, and its query string."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.errors import InvalidRequest
from hayate.upstream_errors import UpstreamBroke
from hayate.wire import sse
from hayate.wire.caps import Caps
from hayate.wire.generate import GenerateStream, from_query, to_chat
from hayate.wire.openai_stream import OpenAIStream
from hayate.wire.validation import check_chat
from tests.support.tables import table
from tests.unit.wire.engine_chunks import ANSWER, CORE_DIED, DONE, ROLE, STOP, TEXTS, WORDS, event, vllm, vllm_choice


def generating() -> GenerateStream:
    return GenerateStream(OpenAIStream(keep_usage=True), stream_id="call", model="tiny")


def relay(stream: GenerateStream, *reads: bytes) -> list[bytes]:
    sent = b"".join(stream.feed(read) for read in reads) + stream.end()
    return list(sse.frames(sent))


@table("size", [1, 3, 17, 100, 10_000])
def test_deltas_come_with_ids_and_the_end_with_its_facts(size: int) -> None:
    whole = b"".join(ANSWER)
    stream = generating()

    *deltas, done = relay(stream, *(whole[n : n + size] for n in range(0, len(whole), size)))

    assert deltas == [f'id: call-{n}\ndata: {{"delta":"{text}"}}\n\n'.encode() for n, text in enumerate(TEXTS, 1)]
    assert sse.event_of(done) == b"done"
    assert json.loads(sse.data_of(done) or b"") == {
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 53, "completion_tokens": 4, "total_tokens": 57},
        "model": "tiny",
    }
    assert (stream.finished, stream.failure, stream.has_output) == (True, None, True)


def test_the_end_is_told_once_and_only_once() -> None:
    for reads in ((ROLE + WORDS[0] + STOP + DONE,), (ROLE, WORDS[0], STOP, DONE), (ROLE, WORDS[0], STOP)):
        assert [sse.event_of(each) for each in relay(generating(), *reads)] == [b"message", b"done"]


def test_a_broken_answer_has_no_end() -> None:
    for reads in ((ROLE, WORDS[0]), (ROLE, WORDS[0] + CORE_DIED + DONE)):
        stream = generating()
        assert [sse.event_of(each) for each in relay(stream, *reads)] == [b"message"]
        assert isinstance(stream.failure, UpstreamBroke)


def test_thoughts_are_told_apart_from_text() -> None:
    for name in ("reasoning", "reasoning_content"):
        thought = event(vllm([vllm_choice({name: "hm"})]))
        first, *_ = relay(generating(), thought, STOP, DONE)
        assert json.loads(sse.data_of(first) or b"") == {"reasoning": "hm"}


def test_tool_calls_and_empty_deltas_say_nothing_here() -> None:
    tool = event(vllm([vllm_choice({"tool_calls": [{"index": 0, "id": "t"}]})]))
    assert [sse.event_of(each) for each in relay(generating(), ROLE, tool, STOP, DONE)] == [b"done"]


def test_comments_of_the_engine_pass() -> None:
    assert relay(generating(), b": keep-alive\n\n", STOP, DONE)[0] == b": keep-alive\n\n"


# The request.


def test_a_query_becomes_a_chat() -> None:
    fields = from_query(
        [
            ("prompt", "こんにちは"),
            ("system", "Be brief."),
            ("model", "fast"),
            ("max_tokens", "20"),
            ("temperature", "0.5"),
            ("seed", "-7"),
            ("stop", "。"),
            ("stop", "\n"),
            ("top_p", "1"),
        ]
    )
    chat = to_chat(fields)
    assert chat == {
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "こんにちは"}],
        "stream": True,
        "max_tokens": 20,
        "temperature": 0.5,
        "seed": -7,
        "stop": ["。", "\n"],
        "top_p": 1.0,
    }
    check_chat(chat, Caps())


@table(
    ("pairs", "param"),
    [
        ([("prompt", "a"), ("prompt", "b")], "prompt"),
        ([("prompt", "a"), ("max_tokens", "ten")], "max_tokens"),
        ([("prompt", "a"), ("max_tokens", "1.5")], "max_tokens"),
        ([("prompt", "a"), ("temperature", "")], "temperature"),
        ([("prompt", "a"), ("temperature", "nan")], "temperature"),
        ([("prompt", "a"), ("temperature", "inf")], "temperature"),
        ([("prompt", "a"), ("max_tokens", "9" * 5000)], "max_tokens"),
        ([("prompt", "a"), ("temprature", "1")], "temprature"),
        ([("prompt", "a"), ("key", "sk-x")], "key"),
        ([("prompt", "a"), ("api_key", "sk-x")], "api_key"),
        ([("prompt", "")], "prompt"),
        ([], "prompt"),
    ],
)
def test_what_is_wrong_in_a_query_is_named_and_no_key_repeated(pairs: list[tuple[str, str]], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_chat(to_chat(from_query(pairs)), Caps())
    assert refused.value.param == param
    assert "sk-x" not in refused.value.english
    assert len(refused.value.english) < 400


@pytest.mark.parametrize("name", ["prompt", "model", "system"])
def test_texts_must_be_texts(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        to_chat({"prompt": "a", name: 7})
    assert refused.value.param == name


@given(
    st.dictionaries(
        st.sampled_from(["prompt", "model", "system", "stop", "seed", "max_tokens", "x"]),
        st.none() | st.integers() | st.text() | st.lists(st.text()),
    )
)
def test_any_fields_are_a_chat_or_refused(fields: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidRequest):
        chat = to_chat(fields)
        check_chat(chat, Caps())
        assert chat["messages"][-1] == {"role": "user", "content": fields["prompt"]}


@given(
    st.lists(
        st.tuples(st.sampled_from(["prompt", "seed", "temperature", "max_tokens", "stop", "x"]), st.text(max_size=10))
    )
)
def test_any_query_is_fields_or_refused(pairs: list[tuple[str, str]]) -> None:
    with contextlib.suppress(InvalidRequest):
        assert set(from_query(pairs)) == {name for name, _ in pairs}
