"""trtllm-serve's adapter: what it mends in the answers, and how it reads the errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hayate.backends.trt_client import TrtLLMClient
from hayate.errors import ContextTooLong, EngineError, NotSupported, UpstreamBroke, UpstreamRefused
from hayate.wire import sse
from hayate.wire.paths import TEXT
from tests.unit.backends.prepared import chat, completion, decoder, prepared

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}


def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, **({"finish_reason": reason} if reason else {})}
    return sse.render(json.dumps({"id": "chatcmpl-7", "object": "chat.completion.chunk", "choices": [choice]}).encode())


def choices(raw: bytes) -> list[Any]:
    found = [sse.data_of(frame) or b"" for frame in sse.frames(raw)]
    return [choice for data in found if data != b"[DONE]" for choice in json.loads(data)["choices"]]


def test_a_model_is_always_named() -> None:
    for served, name in (("tiny", "tiny"), (None, "default")):
        assert json.loads(chat(TrtLLMClient(), HELLO, served).body)["model"] == name
        assert json.loads(completion(TrtLLMClient(), {"prompt": "a"}, served).body)["model"] == name


def test_chunks_get_what_they_lack_and_lose_what_is_empty() -> None:
    stream = decoder(TrtLLMClient(), HELLO)
    raw = stream.feed(
        chunk({"role": "assistant"})
        + chunk({"content": "a", "reasoning_content": ""})
        + chunk({"content": "", "reasoning_content": "hm"})
    )
    assert [choice["finish_reason"] for choice in choices(raw)] == [None] * 3
    assert [choice["delta"] for choice in choices(raw)[1:]] == [
        {"content": "a"},
        {"content": "", "reasoning_content": "hm"},
    ]
    raw = stream.feed(chunk({"content": "b"}, "stop") + sse.DONE)
    assert (choices(raw)[0]["finish_reason"], stream.finish_reason, stream.finished) == ("stop", "stop", True)


def test_a_call_by_name_gets_an_id_once() -> None:
    stream = decoder(TrtLLMClient(), HELLO)
    calls = [[{"index": 0, "function": {"name": "f", "arguments": part}}] for part in ("{", "}")]
    raw = stream.feed(chunk({"role": "assistant"}) + b"".join(chunk({"tool_calls": each}) for each in calls))
    ids = [choice["delta"]["tool_calls"][0].get("id") for choice in choices(raw)[1:]]
    assert ids == ["call_7_0_0", None]
    theirs = chunk({"tool_calls": [{"index": 1, "id": "theirs", "function": {"name": "g", "arguments": ""}}]})
    assert choices(stream.feed(theirs))[0]["delta"]["tool_calls"][0]["id"] == "theirs"


@pytest.mark.parametrize("reason", ["timeout", "cancelled", "abort"])
def test_an_answer_that_was_given_up_is_a_failure(reason: str) -> None:
    stream = decoder(TrtLLMClient(), {"prompt": "a"}, TEXT)
    stream.feed(chunk({"content": "a"}) + chunk({"content": "b"}, reason))
    assert stream.failure is not None
    whole = {"choices": [{"message": {"content": "a"}, "finish_reason": reason}], "usage": {}}
    with pytest.raises(UpstreamBroke):
        TrtLLMClient().whole_answer(json.dumps(whole).encode())


def test_a_whole_answer_is_passed_on() -> None:
    raw = json.dumps({"choices": [{"finish_reason": "length"}], "usage": {"prompt_tokens": 3}}).encode()
    answer = TrtLLMClient().whole_answer(raw)
    assert (answer.body, answer.finish_reason, answer.usage.prompt_tokens) == (raw, "length", 3)


FAULT = (
    "[{'type': 'extra_forbidden', 'loc': ('body', 'x', 0), 'msg': 'Extra inputs are not permitted', 'input': 'secret'}]"
)


def test_a_validation_error_names_its_field_and_leaves_the_input_out() -> None:
    for text in (FAULT, f"1 validation error:\n  {FAULT[1:-1]}\n"):
        error = TrtLLMClient().error(400, json.dumps({"error": text}).encode())
        assert (error.status, error.param) == (400, "x.0")
        assert error.english == "'x.0': Extra inputs are not permitted."
        assert "secret" not in error.english + error.japanese


def flat(message: str, kind: str, status: int) -> bytes:
    return json.dumps({"object": "error", "message": message, "type": kind, "param": None, "code": status}).encode()


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (
            400,
            "The sum of prompt length (72417.0), query length (0) should not exceed max_num_tokens (69632)",
            ContextTooLong,
        ),
        (400, "something else", EngineError),
        (500, "CUDA error", UpstreamBroke),
        (503, "LLM is unavailable. Please check the server logs for more details.", UpstreamRefused),
    ],
)
def test_its_flat_errors_are_read(status: int, message: str, kind: type[Exception]) -> None:
    assert type(TrtLLMClient().error(status, flat(message, "X", status))) is kind


def test_what_is_passed_on() -> None:
    client = TrtLLMClient()
    assert prepared(client, {"input": "x"}, path="/v1/responses").request.path == "/v1/responses"
    for path in ("/tokenize", "/v1/audio/speech"):
        with pytest.raises(NotSupported):
            prepared(client, {"input": "x"}, path=path)
    assert client.probe().path == "/health"
