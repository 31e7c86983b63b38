"""trtllm-serve's adapter: what it sends, and how it reads answers and errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hayate.backends.trt_client import TrtLLMClient
from hayate.errors import ContextTooLong, NotSupported
from hayate.upstream_errors import EngineError, UpstreamBroke, UpstreamRefused
from tests.unit.backends.prepared import chat, completion, prepared

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}


def test_a_model_is_always_named() -> None:
    for served, name in (("tiny", "tiny"), (None, "default")):
        assert json.loads(chat(TrtLLMClient(), HELLO, served).body)["model"] == name
        assert json.loads(completion(TrtLLMClient(), {"prompt": "a"}, served).body)["model"] == name


@pytest.mark.parametrize("reason", ["timeout", "cancelled", "abort"])
def test_a_whole_answer_that_was_given_up_is_a_failure(reason: str) -> None:
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
    assert prepared(client, {"input": "x"}, path="/v1/messages").request.path == "/v1/messages"
    assert prepared(client, {"input": "x"}, path="/v1/responses").request.path == "/v1/chat/completions"
    for path in ("/tokenize", "/v1/audio/speech"):
        with pytest.raises(NotSupported):
            prepared(client, {"input": "x"}, path=path)
    assert client.probe().path == "/health"
