"""Which inputs a model on Triton has decides what it is sent; what it has not is refused."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.backends.triton_request import (
    Layout,
    best_layout,
    candidates,
    chat_fields,
    model_inputs,
    model_path,
    read_layout,
    text_fields,
)
from hayate.errors import UnsupportedField
from tests.support.tables import table

CLASSIC = ("text_input", "max_tokens", "stream", "stop_words", "temperature", "top_p", "top_k", "random_seed")
NEWER = (
    "text_input",
    "streaming",
    *(f"sampling_param_{name}" for name in ("max_tokens", "temperature", "top_p", "top_k", "stop", "seed")),
    "return_finish_reason",
)


def config(name: str, inputs: tuple[str, ...], **more: Any) -> dict[str, Any]:
    return {"name": name, "input": [{"name": each, "data_type": "TYPE_STRING"} for each in inputs], **more}


def layout(inputs: tuple[str, ...], name: str = "m") -> Layout:
    found = read_layout(config(name, inputs))
    assert found is not None
    return found


def test_families_are_told_apart_by_their_inputs() -> None:
    assert (layout(CLASSIC).newer, layout(CLASSIC).cumulative) == (False, False)
    assert (layout(NEWER).newer, layout(NEWER).cumulative) == (True, True)
    accumulating = config("tensorrt_llm_bls", CLASSIC, parameters={"accumulate_tokens": {"string_value": "true"}})
    found = read_layout(accumulating)
    assert found is not None
    assert (found.newer, found.cumulative) == (False, True)


@table(
    "answer",
    [
        None,
        [],
        {},
        {"input": None},
        {"error": "unknown"},
        config("m", ("input_ids",)),
        config("m", ("text_input",)),
        {"input": [5]},
    ],
)
def test_what_takes_no_prompt_has_no_layout(answer: Any) -> None:
    assert read_layout(answer) is None


def test_the_model_to_ask() -> None:
    ensemble, newer = config("ensemble", CLASSIC), config("tensorrt_llm", NEWER)
    bls = config(
        "tensorrt_llm_bls", CLASSIC, parameters={"accumulate_tokens": {"string_value": "${accumulate_tokens}"}}
    )
    joining = config("tensorrt_llm_bls", CLASSIC, parameters={"accumulate_tokens": {"string_value": "True"}})

    def chosen(*configs: Any, named: str | None = None) -> str:
        found = best_layout(list(configs), named)
        return found.model if found else ""

    assert chosen(ensemble, bls, None) == "ensemble"
    assert chosen(ensemble, joining) == "tensorrt_llm_bls"
    assert chosen(ensemble, joining, named="ensemble") == "ensemble"
    assert chosen(None, None, newer) == "tensorrt_llm"
    assert chosen(None) == ""


def test_candidates_are_the_named_one_or_the_usual_ones() -> None:
    assert candidates("mine", "Qwen/Qwen2.5-7B-Instruct") == ["mine"]
    assert (
        candidates(None, "Qwen/Qwen2.5-7B-Instruct")
        == candidates(None, None)
        == ["ensemble", "tensorrt_llm_bls", "tensorrt_llm"]
    )
    assert candidates(None, "mine")[0] == "mine"
    assert model_path("a b/c") == "/v2/models/a%20b%2Fc"


def test_each_family_gets_its_own_names() -> None:
    fields = {"temperature": 0.5, "top_p": 0.9, "stop": ["。"], "seed": -1, "frequency_penalty": 0}
    assert model_inputs(layout(CLASSIC), fields, "p", 7) == {
        "text_input": "p",
        "max_tokens": 7,
        "stream": True,
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_words": ["。"],
        "random_seed": 2**64 - 1,
    }
    assert model_inputs(layout(NEWER), fields, "p", 7) == {
        "text_input": "p",
        "sampling_param_max_tokens": 7,
        "streaming": True,
        "return_finish_reason": True,
        "sampling_param_temperature": 0.5,
        "sampling_param_top_p": 0.9,
        "sampling_param_stop": ["。"],
        "sampling_param_seed": 2**64 - 1,
    }
    assert model_inputs(layout((*CLASSIC, "seed")), {"seed": 3}, "p", 7)["seed"] == 3


def test_a_field_without_its_input_is_refused() -> None:
    with pytest.raises(UnsupportedField) as refusal:
        model_inputs(layout(NEWER), {"repetition_penalty": 1.2}, "p", 7)
    assert refusal.value.param == "repetition_penalty"
    assert "sampling_param_repetition_penalty" in refusal.value.english


def test_a_temperature_of_zero_is_the_likeliest_token_and_another_one_samples() -> None:
    greedy = model_inputs(layout(CLASSIC), {"temperature": 0, "top_p": 0.5}, "p", 1)
    assert (greedy["top_k"], "temperature" in greedy, "top_p" in greedy) == (1, False, False)
    assert model_inputs(layout(CLASSIC), {"temperature": 0.7}, "p", 1)["top_p"] == 1.0
    assert "top_p" not in model_inputs(layout(CLASSIC), {"temperature": 0.7, "top_k": 5}, "p", 1)


def test_chat_contents_become_texts_and_tools_are_refused() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    asked = chat_fields({"messages": [{"role": "user", "content": parts}], "user": "me", "n": 1})
    assert asked == {"messages": [{"role": "user", "content": "a\nb"}]}
    odd: list[dict[str, Any]] = [
        {"role": "tool", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [{}]},
    ]
    for message in odd:
        with pytest.raises(UnsupportedField) as refusal:
            chat_fields({"messages": [message]})
        assert refusal.value.param == "messages.0"
    for field in ("tools", "response_format", "logprobs", "logit_bias"):
        with pytest.raises(UnsupportedField):
            chat_fields({"messages": [], field: "x"})
    with pytest.raises(UnsupportedField):
        text_fields({"prompt": "a", "suffix": "b"})
