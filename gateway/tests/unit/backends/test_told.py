"""What engines tell of their models: read as far as it is known, and never guessed."""

from __future__ import annotations

from typing import Any

from hayate.backends.base import Served
from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.backends.ollama_client import OllamaClient
from hayate.backends.openai_compat import OpenAICompatible
from hayate.backends.sglang_client import SGLangClient
from hayate.backends.told import common, same, sampling, takes_images, weakest
from tests.support.tables import table

TEXT: dict[str, Any] = {"architecture": {"input_modalities": ["text"]}}
SEES: dict[str, Any] = {"architecture": {"input_modalities": ["text", "image"]}}


@table(
    ("told", "found"),
    [
        ({"temperature": 0.800000011920929, "top_k": 40, "seed": 4294967295}, {"temperature": 0.8, "top_k": 40}),
        ({"max_tokens": -1, "top_p": 1.0}, {"top_p": 1.0}),
        ({"max_tokens": 64}, {"max_tokens": 64}),
        ({"temperature": True, "top_p": "0.9", "min_p": float("nan"), "top_k": None}, {}),
        (None, {}),
        (["temperature"], {}),
    ],
)
def test_numbers_that_requests_may_have_are_defaults_and_nothing_else_is(told: object, found: dict[str, float]) -> None:
    assert sampling(told) == found


def test_whether_a_model_takes_pictures_is_known_or_not() -> None:
    assert [takes_images(each) for each in (SEES, TEXT)] == [True, False]
    odd: dict[str, Any]
    for odd in ({}, {"architecture": None}, {"architecture": {"input_modalities": "image"}}, {"architecture": [1]}):
        assert takes_images(odd) is None


def test_of_several_models_holds_what_all_of_them_say() -> None:
    assert [same(each) for each in ([True, True], [False], [True, False], [True, None], [])] == [
        True,
        False,
        *[None] * 3,
    ]
    assert common([{}, {"top_p": 1, "top_k": 4}, {"top_p": 1, "top_k": 5}]) == {"top_p": 1}
    assert common([]) == {}


def test_of_several_engines_holds_the_weakest() -> None:
    told: tuple[list[bool | None], ...] = ([True, None], [True, False], [None, None], [])
    assert [weakest(each) for each in told] == [True, False, None, None]


def test_llama_cpp_tells_both() -> None:
    listed = {"data": [{"id": "m", **SEES}]}
    props = {
        "default_generation_settings": {"params": {"temperature": 0.5}, "n_ctx": 8},
        "modalities": {"vision": False},
    }
    served = LlamaCppClient().read_served([listed, props])
    assert (served.images, served.defaults) == (True, {"temperature": 0.5})
    assert LlamaCppClient().read_served([{"data": [{"id": "m"}]}, props]).images is False
    assert LlamaCppClient().read_served([{"data": [{"id": "m"}]}, {"modalities": {"vision": "no"}}]).images is None


def test_a_gateway_behind_another_tells_on_what_it_knows() -> None:
    listed = {"data": [{"id": "m", "max_model_len": 512, "default_parameters": {"top_p": 0.9}, **SEES}]}
    assert OpenAICompatible().read_served([listed]) == Served(("m",), 512, images=True, defaults={"top_p": 0.9})


@table(
    ("info", "images", "defaults"),
    [
        ({"has_image_understanding": True, "preferred_sampling_params": None}, True, {}),
        ({"has_image_understanding": False, "preferred_sampling_params": {"top_p": 0.5, "max_new_tokens": 9}}, False,
         {"top_p": 0.5, "max_tokens": 9}),
        ({"preferred_sampling_params": '{"temperature": 0.1}'}, None, {"temperature": 0.1}),
        ({"preferred_sampling_params": "{"}, None, {}),
        (None, None, {}),
    ],
)  # fmt: skip
def test_sglang_tells_what_it_was_started_with(info: object, images: bool | None, defaults: dict[str, float]) -> None:
    served = SGLangClient().read_served([{"data": [{"id": "m"}]}, info])
    assert served == Served(("m",), None, images=images, defaults=defaults)
    assert [each.path for each in SGLangClient().describe()] == ["/v1/models", "/get_model_info"]


@table(
    ("shown", "images", "defaults"),
    [
        ({"capabilities": ["completion", "vision"], "parameters": 'temperature   0.6\nstop "<|x|>"\nnum_predict 7'}, True,
         {"max_tokens": 7, "temperature": 0.6}),
        ({"capabilities": ["completion"], "parameters": "top_k inf"}, False, {}),
        ({"parameters": 5}, None, {}),
        (None, None, {}),
    ],
)  # fmt: skip
def test_ollama_tells_what_its_modelfile_sets(shown: object, images: bool | None, defaults: dict[str, float]) -> None:
    client = OllamaClient(model="m")
    assert client.read_served([None, shown]) == Served(("m",), 8192, images=images, defaults=defaults)
    assert [each.path for each in client.describe()] == ["/api/tags", "/api/show"]
