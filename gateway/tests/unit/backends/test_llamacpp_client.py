"""llama.cpp's adapter: whatever generates is asked for as a stream, and what a stream leaves out is asked for again."""

from __future__ import annotations

import json
import weakref
from typing import Any

from hayate.backends.base import Served
from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.wire.paths import CHAT, MESSAGES, RESPONSES, TEXT
from tests.support.tables import table
from tests.unit.backends.prepared import chat, completion, prepared

ENGINE = LlamaCppClient()


def test_progress_is_asked_for() -> None:
    body = json.loads(chat(ENGINE, {"messages": [], "stream": True}).body)
    assert body["return_progress"] is True


def test_who_wants_no_progress_is_heard() -> None:
    assert json.loads(chat(ENGINE, {"messages": [], "return_progress": False}).body)["return_progress"] is False


def test_what_is_served_is_read() -> None:
    listed = {"data": [{"id": "qwen.gguf"}]}
    props = {"default_generation_settings": {"n_ctx": 4096}, "total_slots": 2}
    assert ENGINE.read_served([listed, props]) == Served(("qwen.gguf",), 4096, slots=2)
    odd: object
    for odd in (None, [], 7, {}, {"default_generation_settings": None, "total_slots": "2"}, {"total_slots": -1}):
        assert ENGINE.read_served([listed, odd]) == Served(("qwen.gguf",), None)


def test_it_is_asked_for_a_stream_always() -> None:
    for path in (CHAT, TEXT, RESPONSES, MESSAGES):
        fields = {"input": "a"} if path == RESPONSES else {"prompt": "a"}
        for streams in (True, False):
            call = prepared(ENGINE, {**fields, "stream": streams}, path=path)
            assert json.loads(call.request.body)["stream"] is call.request.streams is True
            assert call.decoder is not None
            assert (call.assembly is None) == streams
    assert ENGINE.probe().path == "/health"
    assert [each.path for each in ENGINE.describe()] == ["/v1/models", "/props"]


def test_of_a_routers_models_one_is_the_deployments() -> None:
    client = LlamaCppClient(model="a/b")
    listed = {"data": [{"id": "a/b", "status": {"value": "unloaded"}}, {"id": "c", "status": {"value": "loaded"}}]}
    router = {"role": "router", "default_generation_settings": {"n_ctx": 0}}
    assert client.read_served([listed, router]) == Served(("a/b",), None)
    assert [each.path for each in client.describe()] == ["/v1/models", "/props?model=a%2Fb&autoload=false"]
    assert client.read_served([{"data": [{"id": "a/b"}]}, router]) == Served(("a/b",), None)
    assert [each.path for each in client.describe()] == ["/v1/models", "/props"]


@table(
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
