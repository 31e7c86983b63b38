"""How each engine is asked for the tokens of a prompt, and what its answers say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hayate.backends.base import Asked, Backend, Counting
from hayate.backends.counting import number
from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.backends.ollama_client import OllamaClient
from hayate.backends.openai_compat import OpenAICompatible, OpenAIOptions
from hayate.backends.sglang_client import SGLangClient
from hayate.backends.trt_client import TrtLLMClient
from hayate.backends.vllm_client import VLLMClient
from hayate.errors import InvalidRequest
from hayate.wire.paths import CHAT, COUNT_TOKENS, MESSAGES, RESPONSES, TEXT
from tests.support.tables import table
from tests.unit.backends.test_triton_client import client as triton

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "こんにちは"}]}
SAID: dict[str, Any] = {"instructions": "Be kind.", "input": HELLO["messages"]}
CALL: dict[str, Any] = {
    **HELLO,
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "chat_template_kwargs": {"enable_thinking": False},
    "reasoning_effort": None,
    "temperature": 0,
    "stream": True,
    "max_tokens": 5,
}
OWN_RESPONSES = OpenAIOptions(responses="engine")


def asks(backend: Backend, path: str = CHAT, fields: dict[str, Any] | None = None) -> Counting:
    found = backend.counting(Asked(path, "ours", fields or CALL, streams=True), "theirs")
    assert isinstance(found, Counting)
    return found


@pytest.mark.parametrize("adapter", [VLLMClient, SGLangClient])
def test_what_a_chats_prompt_is_made_of_is_tokenized(adapter: Callable[[], Backend]) -> None:
    asked = asks(adapter())
    assert (asked.request.method, asked.request.path) == (b"POST", "/tokenize")
    kept = {name: CALL[name] for name in ("messages", "tools", "chat_template_kwargs")}
    assert json.loads(asked.request.body) == {**kept, "model": "theirs"}
    assert asked.read(b'{"count":3,"max_model_len":4096,"tokens":[1,52,7],"token_strs":null}') == 3
    assert asked.read(b'{"tokens": [[1]], "count": [1]}') is None
    assert asked.read(None) is None


@pytest.mark.parametrize("adapter", [VLLMClient, SGLangClient, LlamaCppClient])
def test_messages_are_counted_as_anthropic_has_it(adapter: Callable[[], Backend]) -> None:
    asked = asks(adapter(), MESSAGES, {**CALL, "system": "Be kind."})
    assert asked.request.path == COUNT_TOKENS
    body = json.loads(asked.request.body)
    assert body == {**HELLO, "tools": CALL["tools"], "system": "Be kind.", "model": "theirs"}
    assert asked.read(b'{"input_tokens": 42}') == 42


def test_llamacpp_counts_the_same_request() -> None:
    asked = asks(LlamaCppClient())
    assert asked.request.path == CHAT + "/input_tokens"
    assert json.loads(asked.request.body) == {**CALL, "stream": False, "model": "theirs"}
    assert asked.read(b'{"input_tokens":65,"object":"response.input_tokens"}') == 65
    assert asked.read(b"{}") is None
    response = asks(LlamaCppClient(OWN_RESPONSES), RESPONSES, SAID)
    assert response.request.path == RESPONSES + "/input_tokens"
    assert json.loads(response.request.body) == {**SAID, "model": "theirs"}
    assert response.read(b'{"input_tokens":65}') == 65


@pytest.mark.parametrize("adapter", [VLLMClient, SGLangClient, LlamaCppClient])
def test_a_response_is_counted_as_the_chat_that_it_amounts_to(adapter: Callable[[], Backend]) -> None:
    made = adapter()
    body = json.loads(asks(made, RESPONSES, SAID).request.body)
    assert body["messages"] == [{"role": "system", "content": "Be kind."}, *HELLO["messages"]]
    with pytest.raises(InvalidRequest):
        made.counting(Asked(RESPONSES, "ours", {"input": 7}), "theirs")


def test_an_older_llamacpp_makes_the_prompt_and_counts_it() -> None:
    template = asks(LlamaCppClient()).read(None)
    assert isinstance(template, Counting)
    assert template.request.path == "/apply-template"
    assert json.loads(template.request.body)["messages"] == HELLO["messages"]
    text = template.read(json.dumps({"prompt": "<|im_start|>user\nこんにちは"}).encode())
    assert isinstance(text, Counting)
    assert text.request.path == "/tokenize"
    wanted = {"content": "<|im_start|>user\nこんにちは", "add_special": True, "parse_special": True, "model": "theirs"}
    assert json.loads(text.request.body) == wanted
    assert text.read(b'{"tokens":[151644,872,198]}') == 3
    assert template.read(None) is None
    assert template.read(b'{"prompt": null}') is None
    assert text.read(None) is None
    assert asks(LlamaCppClient(OWN_RESPONSES), RESPONSES, SAID).read(None) is None


def test_triton_counts_the_prompt_that_is_rendered_here() -> None:
    made = triton()
    found = made.counting(Asked(CHAT, "ours", HELLO), "theirs")
    assert callable(found)
    assert found() == len("<s>user: こんにちは\n")
    assert made.counting(Asked(TEXT, "ours", {"prompt": "a"}), "theirs") is None
    response = made.counting(Asked(RESPONSES, "ours", {"input": "こんにちは"}), "theirs")
    assert callable(response)
    assert response() == found()


@table("adapter", [OpenAICompatible, TrtLLMClient, OllamaClient])
@table("path", [CHAT, MESSAGES, RESPONSES])
def test_who_has_no_such_endpoint_is_not_asked(adapter: Callable[[], Backend], path: str) -> None:
    assert adapter().counting(Asked(path, "ours", SAID if path == RESPONSES else CALL), "theirs") is None


@pytest.mark.parametrize("adapter", [VLLMClient, SGLangClient, LlamaCppClient])
def test_a_text_is_no_conversation(adapter: Callable[[], Backend]) -> None:
    assert adapter().counting(Asked(TEXT, "ours", {"prompt": "a"}), "theirs") is None


def test_an_engine_that_has_told_no_model_is_not_told_one() -> None:
    found = VLLMClient().counting(Asked(CHAT, "ours", HELLO), None)
    assert isinstance(found, Counting)
    assert json.loads(found.request.body) == HELLO


@table(
    ("body", "read"),
    [
        (b'{"count": 7}', 7),
        (b'{"count":7,"more":1}', 7),
        (b'{"count":"7"}', None),
        (b'{"count":-7}', None),
        (b'{"count":7.5}', None),
        (b'{"count":99999999999999}', None),
        (b'{"account":7}', None),
        (b"7", None),
        (b"", None),
        (None, None),
    ],
)
def test_a_number_is_found_by_its_name(body: bytes | None, read: int | None) -> None:
    assert number("count")(body) == read
