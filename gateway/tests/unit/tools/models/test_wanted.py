"""Which files of a repository are a model."""

from __future__ import annotations

import pytest

from hayate.tools.embedded.reference import HubModel, NoSuchFile
from hayate.tools.models.wanted import chosen

GGUFS = ["README.md", "m-Q4_K_M.gguf", "m-Q8_0.gguf", "big/m-F16-00001-of-00002.gguf", "big/m-F16-00002-of-00002.gguf"]
SAFE = [
    ".gitattributes",
    "LICENSE",
    "README.md",
    "USE_POLICY.md",
    "config.json",
    "chat_template.jinja",
    "modeling_x.py",
    "tokenizer.model",
    "1_Pooling/config.json",
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
    "consolidated.safetensors",
    "original/params.json",
    "original/consolidated.00.pth",
    "onnx/model.onnx",
    "pytorch_model.bin",
    "figures/a.png",
]


def test_a_gguf_goes_into_the_folder_itself() -> None:
    found = chosen(GGUFS, HubModel("o/m-GGUF"))
    assert (found.files, found.folder, found.shown) == ((("m-Q4_K_M.gguf", "m-Q4_K_M.gguf"),), None, "m-Q4_K_M.gguf")


def test_of_a_split_one_all_parts_go_side_by_side_the_first_one_last() -> None:
    found = chosen(GGUFS, HubModel("o/m-GGUF", quantisation="F16"))
    assert [here for _, here in found.files] == ["m-F16-00002-of-00002.gguf", "m-F16-00001-of-00002.gguf"]
    assert found.shown == "m-F16-00001-of-00002.gguf"


def test_safetensors_get_a_folder_with_what_engines_read_beside_them() -> None:
    found = chosen(SAFE, HubModel("o/Model-7B"))
    assert (found.folder, found.shown) == ("Model-7B", "Model-7B")
    assert sorted(here for _, here in found.files) == [
        "Model-7B/1_Pooling/config.json",
        "Model-7B/LICENSE",
        "Model-7B/README.md",
        "Model-7B/USE_POLICY.md",
        "Model-7B/chat_template.jinja",
        "Model-7B/config.json",
        "Model-7B/model-00001-of-00002.safetensors",
        "Model-7B/model-00002-of-00002.safetensors",
        "Model-7B/model.safetensors.index.json",
        "Model-7B/modeling_x.py",
        "Model-7B/tokenizer.model",
    ]


def test_weights_in_mistrals_form_alone_are_taken() -> None:
    found = chosen(["params.json", "consolidated.safetensors"], HubModel("o/m"))
    assert [there for there, _ in found.files] == ["consolidated.safetensors", "params.json"]


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        (HubModel("o/m"), "m"),
        (HubModel("o/m-gguf"), "m-Q4_K_M.gguf"),
        (HubModel("o/m", quantisation="Q8_0"), "m-Q8_0.gguf"),
        (HubModel("o/m", file="m-Q8_0.gguf"), "m-Q8_0.gguf"),
    ],
)
def test_where_both_are_there_the_reference_says_which_is_meant(model: HubModel, shown: str) -> None:
    assert chosen([*GGUFS, *SAFE], model).shown == shown


def test_where_neither_is_there_nothing_is_chosen() -> None:
    with pytest.raises(NoSuchFile):
        chosen(["pytorch_model.bin", "onnx/model.safetensors"], HubModel("o/m"))
