"""SGLang's adapter: priorities the other way round, everything else as it came."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hayate.backends.sglang_client import SGLangClient, SGLangOptions
from hayate.errors import ContextTooLong, NotSupported
from hayate.upstream_errors import EngineError
from tests.unit.backends.prepared import chat, completion, prepared

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}], "separate_reasoning": False}


@pytest.mark.parametrize(("lower_first", "priority"), [(False, -3), (True, 3)])
def test_a_lower_priority_is_sooner_whatever_the_engine_thinks(lower_first: bool, priority: int) -> None:
    client = SGLangClient(SGLangOptions(lower_priority_first=lower_first))
    fields = {**HELLO, "priority": 3}
    body = json.loads(chat(client, fields).body)
    assert body == {**HELLO, "priority": priority, "model": "m"}
    assert fields["priority"] == 3, "the caller's fields are not changed"
    assert json.loads(completion(client, {"prompt": "a", "priority": "x"}).body)["priority"] == "x"


def test_unknown_fields_stay_and_usage_is_asked_for_in_streams() -> None:
    body = json.loads(chat(SGLangClient(), {**HELLO, "regex": "a+", "stream": True}).body)
    assert (body["regex"], body["stream_options"]) == ("a+", {"include_usage": True})


def test_its_flat_errors_are_read() -> None:
    def error(message: str) -> Any:
        body = {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400}
        return SGLangClient().error(400, json.dumps(body).encode())

    assert type(error("The input (9 tokens) is longer than the model's context length (4 tokens).")) is ContextTooLong
    assert (
        type(error("Requested token count exceeds the model's maximum context length of 4 tokens.")) is ContextTooLong
    )
    assert type(error("nonsense")) is EngineError


def test_a_stuck_engine_is_found_by_its_health() -> None:
    assert SGLangClient().probe().path == "/health"
    assert prepared(SGLangClient(), {"query": "x"}, path="/v1/rerank").request.path == "/v1/rerank"
    with pytest.raises(NotSupported):
        prepared(SGLangClient(), {"input": "x"}, path="/v1/audio/speech")
