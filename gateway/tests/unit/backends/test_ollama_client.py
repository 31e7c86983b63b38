"""Ollama's adapter: which requests it makes, and how it reads what Ollama says of itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hayate.backends.ollama_client import OllamaClient, OllamaOptions
from hayate.errors import ContextTooLong, NotSupported
from hayate.upstream_errors import EngineError, UpstreamBroke, UpstreamRefused
from hayate.wire.paths import TEXT
from tests.support.tables import table
from tests.unit.backends.prepared import chat, completion, decoder, prepared

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}


def body(client: OllamaClient, **fields: Any) -> dict[str, Any]:
    request = chat(client, {**HELLO, **fields})
    assert request.path == "/api/chat"
    sent: dict[str, Any] = json.loads(request.body)
    return sent


def test_the_context_is_the_option_then_the_deployment_s_then_8192() -> None:
    clients = [OllamaClient(OllamaOptions(num_ctx=1), context_tokens=2), OllamaClient(context_tokens=2), OllamaClient()]
    assert [body(client)["options"]["num_ctx"] for client in clients] == [1, 2, 8192]
    assert [client.read_served([None]).context_tokens for client in clients] == [1, 2, 8192]


def test_keep_alive_goes_along_when_it_is_set() -> None:
    assert "keep_alive" not in body(OllamaClient())
    assert body(OllamaClient(OllamaOptions(keep_alive=-1)))["keep_alive"] == -1
    request = completion(OllamaClient(OllamaOptions(keep_alive="30m")), {"prompt": "a"})
    assert (request.path, json.loads(request.body)["keep_alive"]) == ("/api/generate", "30m")


def test_a_deployment_is_one_model() -> None:
    tags = {"models": [{"name": "a:latest"}, {"name": "b:latest"}]}
    assert OllamaClient().read_served([tags]).models == ("a:latest",)
    assert OllamaClient(model="b").read_served([tags]).models == ("b",)
    assert OllamaClient().read_served([None]).models == OllamaClient().read_served([{"models": None}]).models == ()


def test_readiness_asks_for_the_configured_model() -> None:
    assert OllamaClient().probe().path == "/api/version"
    probe = OllamaClient(OllamaOptions(keep_alive="1h"), model="b").probe()
    assert (probe.path, probe.method, json.loads(probe.body)) == ("/api/show", b"POST", {"model": "b"})


def test_without_a_model_a_call_is_turned_away_and_may_go_elsewhere() -> None:
    with pytest.raises(UpstreamRefused) as refusal:
        chat(OllamaClient(), HELLO, None)
    assert refusal.value.safe_to_retry


def test_only_embeddings_are_passed_on() -> None:
    client = OllamaClient()
    assert prepared(client, {"input": "x"}, path="/v1/embeddings").request.path == "/v1/embeddings"
    with pytest.raises(NotSupported):
        prepared(client, {"input": "x"}, path="/v1/messages")
    assert prepared(client, {"input": "x"}, path="/v1/responses").request.path == "/api/chat"


@table(
    ("status", "text", "kind"),
    [
        (
            400,
            "the prompt is longer than the context length currently available to the model; shorten it",
            ContextTooLong,
        ),
        (
            400,
            '{"error":{"code":400,"message":"too many tokens","type":"exceed_context_size_error"}}',
            ContextTooLong,
        ),
        (500, 'llama runner failed: {"error":{"message":"no","type":"exceed_context_size_error"}}', ContextTooLong),
        (404, "model 'x' not found", EngineError),
        (503, "server busy, please try again. maximum pending requests exceeded", UpstreamRefused),
        (500, "llama runner process has terminated: {not json", UpstreamBroke),
    ],
)
def test_its_errors_are_read(status: int, text: str, kind: type[Exception]) -> None:
    error = OllamaClient().error(status, json.dumps({"error": text}).encode(), retry_after_s=2)
    assert type(error) is kind
    if status == 404:
        assert (error.status, error.code) == (404, "model_not_found")


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[]", b'{"error":5}'])
def test_an_odd_error_is_still_an_error(raw: bytes) -> None:
    assert OllamaClient().error(500, raw).status == 502


def test_answers_carry_the_model_that_was_configured() -> None:
    decoders = [
        decoder(OllamaClient(model="b"), HELLO),
        decoder(OllamaClient(), {"prompt": "a", "model": "alias"}, TEXT),
    ]
    lines = [b'{"message":{"content":"x"},"done":false}\n', b'{"response":"x","done":false}\n']
    told = [each.feed(line) for each, line in zip(decoders, lines, strict=True)]
    assert b'"model":"b"' in told[0]
    assert b'"model":"alias"' in told[1]
