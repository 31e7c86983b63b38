"""Triton's adapter: the prompt it renders, the model it finds, the limits it sets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hayate.backends.triton_client import TritonClient, TritonOptions
from hayate.errors import ContextTooLong, NotSupported
from hayate.upstream_errors import EngineError, UpstreamBroke, UpstreamRefused
from tests.support.tables import table
from tests.unit.backends.prepared import chat, completion, decoder, prepared
from tests.unit.backends.test_triton_request import CLASSIC, NEWER, config

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]}


class Prompts:
    """A chat template of one line; a token is a character."""

    begins_with = "<s>"

    rendered = 0

    def render(self, messages: list[dict[str, Any]], **variables: Any) -> str:
        self.rendered += 1
        extra = "".join(f"[{name}={value}]" for name, value in sorted(variables.items()))
        return "<s>" + extra + "".join(f"{message['role']}: {message['content']}\n" for message in messages)

    def count(self, text: str) -> int:
        return len(text)


def client(*inputs: str, options: TritonOptions | None = None, **more: Any) -> TritonClient:
    """One that has heard which inputs its model has."""
    triton = TritonClient(Prompts(), options, **more)
    triton.read_served([config("found", inputs or CLASSIC)])
    return triton


def sent(triton: TritonClient, **fields: Any) -> dict[str, Any]:
    request = chat(triton, {**HELLO, **fields}, None)
    assert request.path == "/v2/models/found/generate_stream"
    body: dict[str, Any] = json.loads(request.body)
    return body


def test_messages_become_the_template_s_prompt() -> None:
    assert sent(client())["text_input"] == "<s>user: Hello\n"
    assert sent(client(), chat_template_kwargs={"mood": "kind"})["text_input"] == "<s>[mood=kind]user: Hello\n"
    request = completion(client(), {"prompt": "as it is"}, None)
    assert json.loads(request.body)["text_input"] == "as it is"


def test_the_first_special_token_is_not_written_twice() -> None:
    assert sent(client(*NEWER))["text_input"] == "user: Hello\n"
    assert sent(client(*NEWER, options=TritonOptions(adds_bos=False)))["text_input"].startswith("<s>")
    assert sent(client(options=TritonOptions(adds_bos=True)))["text_input"] == "user: Hello\n"


def test_a_limit_is_always_sent() -> None:
    assert sent(client())["max_tokens"] == 1024
    assert sent(client(options=TritonOptions(max_tokens=7)))["max_tokens"] == 7
    assert sent(client(), max_completion_tokens=5)["max_tokens"] == 5
    prompt = len("<s>user: Hello\n")
    assert sent(client(context_tokens=100))["max_tokens"] == 100 - prompt
    assert sent(client(context_tokens=100), max_tokens=99)["max_tokens"] == 100 - prompt
    with pytest.raises(ContextTooLong):
        chat(client(context_tokens=prompt), HELLO, None)


def test_before_the_model_is_known_calls_go_elsewhere_or_come_back() -> None:
    triton = TritonClient(Prompts())
    for ask, fields in ((chat, HELLO), (completion, {"prompt": "a"})):
        with pytest.raises(UpstreamRefused) as refusal:
            ask(triton, fields, None)
        assert refusal.value.safe_to_retry
        assert refusal.value.retry_after_s == 1


def test_it_asks_for_the_configurations_of_the_models_that_may_be_meant() -> None:
    paths = [request.path for request in TritonClient(Prompts(), model="Qwen/Qwen2.5-7B-Instruct").describe()]
    assert paths == [f"/v2/models/{name}/config" for name in ("ensemble", "tensorrt_llm_bls", "tensorrt_llm")]
    named = TritonClient(Prompts(), TritonOptions(model="mine"), model="Qwen/Qwen2.5-7B-Instruct")
    assert [request.path for request in named.describe()] == ["/v2/models/mine/config"]
    assert TritonClient(Prompts()).probe().path == "/v2/health/ready"


def test_what_it_serves_is_the_configured_model_or_triton_s_name() -> None:
    served = TritonClient(Prompts(), context_tokens=9).read_served([None, config("tensorrt_llm_bls", CLASSIC)])
    assert (served.models, served.context_tokens) == (("tensorrt_llm_bls",), 9)
    assert TritonClient(Prompts(), model="Q/x").read_served([config("ensemble", CLASSIC)]).models == ("Q/x",)
    triton = client()
    assert triton.read_served([None]).models == ()
    assert sent(triton), "what was known stays known"


@table(
    ("status", "raw", "kind"),
    [
        (400, b'data: {"error":"Prompt length (9000) exceeds maximum input length (4096)."}\n\n', ContextTooLong),
        (400, b'{"error":"[request id: 1] expected number of inputs between 2 and 15 but got 1"}', EngineError),
        (404, b'{"error":"Request for unknown model: \'nope\' is not found"}', EngineError),
        (503, b'{"error":"Exceeds maximum queue size"}', UpstreamRefused),
        (500, b'{"error":"Stub process is not healthy."}', UpstreamBroke),
        (500, b"", UpstreamBroke),
    ],
)
def test_its_errors_are_read_as_json_or_as_an_event(status: int, raw: bytes, kind: type[Exception]) -> None:
    assert type(client().error(status, raw)) is kind


@pytest.mark.parametrize(("option", "text"), [("auto", "ab"), ("cumulative", "ab"), ("delta", "aab")])
def test_whether_events_repeat_the_text_can_be_said(option: Any, text: str) -> None:
    triton = client(*NEWER, options=TritonOptions(text_output=option))
    stream = decoder(triton, {**HELLO, "stream": True})
    raw = stream.feed(b'data: {"text_output":"a"}\n\ndata: {"text_output":"ab"}\n\n') + stream.end()
    deltas = [json.loads(frame[6:])["choices"][0]["delta"] for frame in raw.split(b"\n\n")[:-2]]
    assert "".join(delta.get("content", "") for delta in deltas) == text


def test_it_has_none_of_the_other_paths() -> None:
    with pytest.raises(NotSupported, match="triton has no /v1/embeddings"):
        prepared(client(), {"input": "x"}, path="/v1/embeddings")


@pytest.mark.parametrize("streams", [True, False])
def test_a_prompt_is_rendered_once(streams: bool) -> None:
    prompts = Prompts()
    triton = TritonClient(prompts, context_tokens=100)
    triton.read_served([config("found", CLASSIC)])
    call = prepared(triton, {**HELLO, "stream": streams})
    assert (prompts.rendered, call.request.streams, call.assembly is None) == (1, True, streams)
