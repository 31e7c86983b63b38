"""/v1/responses through adapters whose engines have chat alone: what is sent, and what comes of the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hayate.backends.adapter import ASKED_AGAIN_S
from hayate.backends.base import Asked, Backend, Prepared, WholeAnswer
from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.backends.ollama_client import OllamaClient
from hayate.backends.openai_compat import OpenAICompatible, OpenAIOptions
from hayate.backends.registry import Wanted, make_backend
from hayate.backends.sglang_client import SGLangClient, SGLangOptions
from hayate.backends.trt_client import TrtLLMClient
from hayate.backends.vllm_client import VLLMClient
from hayate.errors import GatewayError, InvalidRequest, UnsupportedField
from hayate.wire import sse
from hayate.wire.paths import CHAT, EMBEDDINGS, RESPONSES
from hayate.wire.usage import Usage
from tests.support.responses import followed, whole
from tests.support.tables import table
from tests.unit.wire.engine_chunks import ANSWER, TEXTS

TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}
THROUGH_CHAT = OpenAIOptions(responses="chat")


def asked(backend: Backend, model: str | None = "theirs", **fields: Any) -> Prepared:
    fields = {"input": "Hello", "model": "ours", **fields}
    return backend.prepare(Asked(RESPONSES, "ours", fields, bool(fields.get("stream"))), model)


def sent(backend: Backend, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(asked(backend, **fields).request.body)
    return body


def events(raw: bytes) -> list[dict[str, Any]]:
    return [json.loads(sse.data_of(frame) or b"") for frame in sse.frames(raw)]


@pytest.mark.parametrize(
    "make", [VLLMClient, OpenAICompatible, SGLangClient, lambda: LlamaCppClient(OpenAIOptions(responses="engine"))]
)
def test_who_has_the_path_is_asked_there_until_it_says_otherwise(make: Any) -> None:
    backend, now = make(), [1000.0]
    backend._clock = lambda: now[0]
    assert asked(backend).request.path == RESPONSES
    assert backend.lacks(RESPONSES)
    now[0] += ASKED_AGAIN_S - 1
    assert asked(backend).request.path == CHAT
    now[0] += 1
    assert asked(backend).request.path == RESPONSES, "it may be another release now"


@pytest.mark.parametrize("path", [CHAT, EMBEDDINGS])
def test_nothing_else_is_made_of_a_chat(path: str) -> None:
    assert not OpenAICompatible().lacks(path)


@pytest.mark.parametrize("name", ["openai", "vllm", "llamacpp", "sglang"])
def test_an_engine_can_be_kept_from_it(name: str) -> None:
    backend = make_backend(Wanted(name, options={"responses": "chat"}))
    assert asked(backend).request.path == CHAT


def test_llamacpps_own_are_asked_for_only_where_that_is_said() -> None:
    assert asked(LlamaCppClient()).request.path == CHAT
    assert asked(LlamaCppClient(), stream=True).request.path == CHAT


def test_an_option_of_sglang_goes_with_its_own() -> None:
    assert SGLangOptions(responses="chat", lower_priority_first=True).responses == "chat"


def test_a_stream_is_asked_for_with_its_usage() -> None:
    backend = OpenAICompatible(THROUGH_CHAT)
    assert sent(backend, stream=True, max_output_tokens=9) == {
        "model": "theirs",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 9,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_whole_answer_is_asked_for_whole_where_that_is_safe() -> None:
    prepared = asked(OpenAICompatible(THROUGH_CHAT))
    assert not prepared.request.streams
    assert "stream" not in json.loads(prepared.request.body)
    llamacpp = asked(LlamaCppClient(THROUGH_CHAT))
    assert llamacpp.request.streams
    assert llamacpp.assembly is not None


def test_log_probabilities_come_event_by_event() -> None:
    prepared = asked(OpenAICompatible(THROUGH_CHAT), include=["message.output_text.logprobs"])
    assert prepared.request.streams
    assert json.loads(prepared.request.body)["logprobs"] is True


def test_the_events_are_a_responses() -> None:
    decoder = asked(OpenAICompatible(THROUGH_CHAT), stream=True, instructions="Be brief.", tools=[TOOL]).decoder
    assert decoder is not None
    assert decoder.plain_reader is None, "every event is written anew"
    seen = followed(events(b"".join(map(decoder.feed, ANSWER)) + decoder.end()))
    assert seen.final is not None
    assert (seen.final.output_text, seen.final.model, seen.final.instructions) == (
        "".join(TEXTS),
        "theirs",
        "Be brief.",
    )
    assert seen.final.id.startswith("resp_")
    assert seen.final.tools[0].type == "function"


def test_an_engine_that_has_told_no_model_answers_by_the_callers_name() -> None:
    decoder = asked(OpenAICompatible(THROUGH_CHAT), None, stream=True).decoder
    assert decoder is not None
    assert events(decoder.feed(ANSWER[0]))[0]["response"]["model"] == "ours"


def test_a_stream_for_a_client_who_wants_no_stream_is_joined() -> None:
    prepared = asked(LlamaCppClient(THROUGH_CHAT))
    assert prepared.decoder is not None
    assert prepared.assembly is not None
    assert b"".join(map(prepared.decoder.feed, ANSWER)) + prepared.decoder.end() == b""
    prepared.assembly.parts.add({})
    assert whole(prepared.assembly.parts.answer()).output_text == "".join(TEXTS)


COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "theirs",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Let me see.",
                "reasoning_content": "Hm.",
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                    {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": "{}"}},
                ],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
}


def retold(answer: Any, **fields: Any) -> WholeAnswer:
    retell = asked(OpenAICompatible(THROUGH_CHAT), **fields).retell
    assert retell is not None
    return retell(WholeAnswer(json.dumps(answer).encode(), Usage(5, 3)))


def test_a_whole_completion_is_retold_as_a_response() -> None:
    answer = retold(COMPLETION, tools=[TOOL])
    response = whole(json.loads(answer.body))
    assert [item.type for item in response.output] == ["reasoning", "message", "function_call", "function_call"]
    assert response.output_text == "Let me see."
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (5, 3)
    assert (answer.usage, answer.finish_reason) == (Usage(5, 3), "response.completed")


def test_one_call_is_one_in_a_whole_answer_too() -> None:
    response = json.loads(retold(COMPLETION, tools=[TOOL], parallel_tool_calls=False).body)
    assert [item["type"] for item in response["output"]] == ["reasoning", "message", "function_call"]


@pytest.mark.parametrize("answer", [{"error": {"message": "it broke"}}, {"choices": None}, [], {"choices": [{"finish_reason": "abort", "message": {}}]}])  # fmt: skip  # noqa: E501
def test_what_is_no_completion_is_the_engines_error(answer: Any) -> None:
    with pytest.raises(GatewayError):
        retold(answer)


def test_what_an_engine_would_not_heed_is_not_sent_and_kept_to_here() -> None:
    fields: dict[str, Any] = {"tools": [TOOL], "parallel_tool_calls": False}
    assert sent(OpenAICompatible(THROUGH_CHAT), **fields)["parallel_tool_calls"] is False
    for backend in (TrtLLMClient(), OllamaClient()):
        assert "parallel_tool_calls" not in sent(backend, **fields)


def test_ollama_and_trtllm_have_it_through_their_chat() -> None:
    ollama = asked(OllamaClient(), stream=True)
    assert ollama.request.path == "/api/chat"
    assert json.loads(ollama.request.body)["options"] == {"num_ctx": 8192}
    trtllm = asked(TrtLLMClient())
    assert trtllm.request.path == CHAT
    assert json.loads(trtllm.request.body) == {"model": "theirs", "messages": [{"role": "user", "content": "Hello"}]}


def test_ollamas_lines_become_a_responses_events() -> None:
    decoder = asked(OllamaClient(), stream=True).decoder
    assert decoder is not None
    lines: list[dict[str, Any]] = [
        {"message": {"role": "assistant", "content": "", "thinking": "Hm."}},
        {"message": {"role": "assistant", "content": "Hi."}},
        {"message": {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}},
        {"message": {}, "done": True, "done_reason": "stop", "prompt_eval_count": 7, "eval_count": 3},
    ]
    raw = b"".join(decoder.feed(json.dumps(line).encode() + b"\n") for line in lines) + decoder.end()
    seen = followed(events(raw))
    assert [item["type"] for item in seen.items] == ["reasoning", "message", "function_call"]
    assert seen.items[2]["arguments"] == '{"a":1}'
    assert seen.final is not None
    assert seen.final.usage is not None
    assert seen.final.usage.total_tokens == 10


@table(
    ("fields", "param"),
    [
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
        ({"x_new_idea": 5}, "x_new_idea"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"reasoning": {"effort": "extreme"}}, "reasoning.effort"),
    ],
)
def test_a_refusal_names_the_field_that_was_sent(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        asked(OllamaClient(), **fields)
    assert refused.value.param == param
    assert f"'{param}'" in refused.value.english


def test_what_is_usual_is_no_reason_to_refuse() -> None:
    usual: dict[str, Any] = {
        "text": {"verbosity": "medium"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "user": "u",
    }
    assert asked(OllamaClient(), **usual).request.path == "/api/chat"
    with pytest.raises(UnsupportedField):
        asked(OllamaClient(), previous_response_id="resp_1")


@pytest.mark.parametrize("stream", [True, False])
def test_tools_that_the_model_has_not_are_none_of_the_responses(stream: bool) -> None:
    tools = [TOOL, {"type": "web_search"}, {"type": "namespace", "name": "n", "description": "d", "tools": [TOOL]}]
    prepared = asked(LlamaCppClient(THROUGH_CHAT), stream=stream, tools=[*tools, {"type": "custom", "name": "patch"}])
    assert prepared.tools_omitted == ("web_search",)
    decoder = prepared.decoder
    assert decoder is not None
    raw = b"".join(map(decoder.feed, ANSWER)) + decoder.end()
    if stream:
        final = followed(events(raw)).final
    else:
        assert prepared.assembly is not None
        final = whole(prepared.assembly.parts.answer())
    assert final is not None
    assert [tool.type for tool in final.tools] == ["function", "namespace", "custom"]


@pytest.mark.parametrize("make", [OpenAICompatible, OllamaClient, TrtLLMClient])
def test_a_whole_answer_calls_tools_by_their_callers_names(make: Any) -> None:
    backend = make() if make is not OpenAICompatible else make(THROUGH_CHAT)
    agents = {"type": "namespace", "name": "agents", "description": "d", "tools": [TOOL]}
    body = sent(backend, tools=[agents])
    assert [tool["function"]["name"] for tool in body["tools"]] == ["agents__f"]
