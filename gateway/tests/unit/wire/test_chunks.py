"""The chunks written here are OpenAI's, and events of an answer belong together."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from hayate.upstream_errors import UpstreamBroke
from hayate.wire import sse
from hayate.wire.chunks import ChunkWriter, TranslatedStream, counted
from hayate.wire.engine_json import read
from hayate.wire.usage import Usage


def writer(*, chat: bool = True, include_usage: bool = False) -> ChunkWriter:
    return ChunkWriter(answer_id="chatcmpl-1", created=7, model='m"1', chat=chat, include_usage=include_usage)


def events(raw: bytes) -> list[Any]:
    found = [sse.data_of(frame) or b"" for frame in sse.frames(raw)]
    return [json.loads(each) if each != b"[DONE]" else "[DONE]" for each in found]


def test_a_chat_begins_with_the_role_and_ends_with_done() -> None:
    chunks = writer()
    usage = Usage(prompt_tokens=3, completion_tokens=2, exact=True)
    told = events(chunks.text("こん") + chunks.text('"\n😀') + chunks.finish("stop", usage))
    assert told.pop() == "[DONE]"
    assert [each["choices"][0]["delta"] for each in told] == [
        {"role": "assistant", "content": ""},
        {"content": "こん"},
        {"content": '"\n😀'},
        {},
    ]
    assert [each["choices"][0]["finish_reason"] for each in told] == [None, None, None, "stop"]
    for each in told:
        ChatCompletionChunk.model_validate(each, strict=True)
        assert (each["id"], each["created"], each["model"]) == ("chatcmpl-1", 7, 'm"1')


def test_a_text_completion_has_no_role() -> None:
    chunks = writer(chat=False, include_usage=True)
    told = events(chunks.text("a") + chunks.delta({"content": "b"}) + chunks.finish("length", Usage(1, 2)))
    assert [each["choices"][0]["text"] for each in told[:3]] == ["a", "b", ""]
    assert told[3]["usage"] == {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    for each in told[:3]:
        assert each["object"] == "text_completion"


@pytest.mark.parametrize("asked", [False, True])
def test_usage_is_an_event_of_its_own_and_only_when_asked_for(asked: bool) -> None:
    told = events(writer(include_usage=asked).finish("stop", Usage(1, 2)))
    assert [each["choices"] == [] for each in told[:-1]] == ([False, False, True] if asked else [False, False])


def test_an_answer_without_text_still_has_a_role() -> None:
    assert events(writer().finish("stop", Usage()))[0]["choices"][0]["delta"]["role"] == "assistant"


class Lines(TranslatedStream):
    """A dialect of JSON documents, each with a text."""

    def feed(self, *lines: bytes) -> bytes:
        return self._each(lines, read)

    def _event(self, event: dict[str, Any]) -> bytes:
        return self._say(event["text"])


def test_deltas_are_counted_until_the_engine_counts() -> None:
    stream = Lines(writer())
    assert not stream.has_output
    assert stream.feed(b"null", b"[]", b'{"text":"a"}')
    assert (stream.has_output, counted(stream.usage)["completion_tokens"]) == (True, 1)


@pytest.mark.parametrize("broken", [b'{"error":"CUDA"}', b"{", b"{}"])
def test_what_is_an_error_or_can_not_be_read_ends_a_stream_behind_what_was_said(broken: bytes) -> None:
    stream = Lines(writer())
    assert stream.feed(b'{"text":"a"}', broken, b'{"text":"b"}') == Lines(writer()).feed(b'{"text":"a"}')
    assert isinstance(stream.failure, UpstreamBroke)
    assert stream.feed(b'{"text":"c"}') == b""
