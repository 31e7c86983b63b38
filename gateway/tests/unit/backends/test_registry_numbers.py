"""No number of a request trips an adapter: what the checks let through is rendered, or refused by name, by every one of them."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.backends.base import Backend
from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.backends.ollama_client import OllamaClient
from hayate.backends.openai_compat import OpenAICompatible
from hayate.backends.sglang_client import SGLangClient
from hayate.backends.trt_client import TrtLLMClient
from hayate.backends.vllm_client import VLLMClient
from hayate.errors import InvalidRequest, RequestError
from hayate.wire.caps import Caps
from hayate.wire.fields import LEAST_TOP_P
from hayate.wire.numbers import LIMITS, REAL, WHOLE
from hayate.wire.paths import CHAT, TEXT
from hayate.wire.validation import check_chat, check_completion
from tests.support.tables import table
from tests.unit.backends.prepared import chat, completion, prepared
from tests.unit.backends.test_triton_client import client as triton

ADAPTERS: dict[str, Callable[[], Backend]] = {
    "vllm": VLLMClient,
    "openai": OpenAICompatible,
    "llamacpp": LlamaCppClient,
    "sglang": SGLangClient,
    "trtllm": TrtLLMClient,
    "ollama": lambda: OllamaClient(model="m"),
    "triton": triton,
    "triton with a context": lambda: triton(context_tokens=100),
}
NUMBERS = [0, 1, -1, 1.0, 256.0, 0.5, -0.5, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), 1e12, 1e300]
values: st.SearchStrategy[Any] = st.sampled_from([*NUMBERS, None, True, "7", [], {}]) | st.integers() | st.floats()
names = st.sampled_from([*LIMITS, *WHOLE, *REAL, "logprobs", "echo", "stream"])
HELLO = {"messages": [{"role": "user", "content": "Hello"}], "prompt": "Hello"}


@pytest.mark.parametrize("name", ADAPTERS)
@given(st.dictionaries(names, values, max_size=5))
def test_whatever_the_numbers_a_request_is_rendered_or_refused(name: str, numbers: dict[str, Any]) -> None:
    adapter = ADAPTERS[name]()
    for chatting in (True, False):
        fields = copy.deepcopy(HELLO | numbers)
        echo = fields.get("echo")
        if type(echo) is int and not -(2**63) <= echo < 2**64:
            fields["echo"] = float(echo)  # as whatever reads a body makes it
        del fields["prompt" if chatting else "messages"]
        with contextlib.suppress(RequestError):
            check_chat(fields, Caps()) if chatting else check_completion(fields, Caps())
            orjson.loads(prepared(adapter, fields, path=CHAT if chatting else TEXT).request.body)


@table(
    ("name", "sent"),
    [("vllm", LEAST_TOP_P), ("sglang", LEAST_TOP_P), ("trtllm", LEAST_TOP_P), ("openai", 0), ("llamacpp", 0)],
)
def test_a_top_p_of_zero_is_put_as_the_engine_takes_it(name: str, sent: float) -> None:
    for zero in (0, 0.0):
        fields: dict[str, Any] = {"messages": HELLO["messages"], "top_p": zero}
        check_chat(fields, Caps())
        assert orjson.loads(chat(ADAPTERS[name](), fields).body)["top_p"] == sent
        assert fields["top_p"] == 0


def test_ollama_and_triton_get_a_top_p_they_take_too() -> None:
    fields: dict[str, Any] = {"messages": HELLO["messages"], "top_p": 0, "temperature": 1}
    assert orjson.loads(chat(ADAPTERS["ollama"](), fields).body)["options"]["top_p"] == 0
    assert orjson.loads(chat(ADAPTERS["triton"](), fields).body)["top_p"] == LEAST_TOP_P


@table("name", ["vllm", "openai", "llamacpp", "sglang", "trtllm"])
def test_a_prompt_is_scored_with_no_answer(name: str) -> None:
    fields: dict[str, Any] = {"prompt": "Hello", "max_tokens": 0, "echo": True, "logprobs": 1}
    check_completion(fields, Caps())
    sent = orjson.loads(completion(ADAPTERS[name](), fields).body)
    assert (sent["max_tokens"], sent["echo"], sent["logprobs"]) == (0, True, 1)


@pytest.mark.parametrize("name", ["ollama", "triton"])
def test_what_can_not_score_says_so(name: str) -> None:
    fields: dict[str, Any] = {"prompt": "Hello", "max_tokens": 0, "echo": True}
    check_completion(fields, Caps())
    with pytest.raises(InvalidRequest) as refused:
        completion(ADAPTERS[name](), fields)
    assert refused.value.param == "echo"


@table("name", ["vllm", "openai", "llamacpp", "sglang", "trtllm", "ollama"])
@table("field", ["max_tokens", "max_completion_tokens"])
def test_no_limit_reaches_no_engine_as_one(name: str, field: str) -> None:
    fields: dict[str, Any] = {"messages": HELLO["messages"], field: -1}
    check_chat(fields, Caps())
    assert b"-1" not in chat(ADAPTERS[name](), fields).body


def test_triton_which_must_be_told_a_limit_gets_its_usual_one() -> None:
    fields: dict[str, Any] = {"messages": HELLO["messages"], "max_tokens": -1}
    check_chat(fields, Caps())
    assert orjson.loads(chat(ADAPTERS["triton"](), fields).body)["max_tokens"] == 1024
