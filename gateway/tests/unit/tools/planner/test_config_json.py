"""Shapes read from config.json files, each kind as real models write it."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.tools.planner.arithmetic import Attention, kv_bytes_per_token
from hayate.tools.planner.config_json import facts_from_config
from hayate.tools.planner.facts import FactsMissing, ModelFacts
from tests.support.tables import table

QWEN: dict[str, Any] = {
    "model_type": "qwen2",
    "hidden_size": 3584,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "max_position_embeddings": 32768,
    "sliding_window": 131072,
    "use_sliding_window": False,
    "vocab_size": 152064,
    "torch_dtype": "bfloat16",
}


def facts(config: dict[str, Any]) -> ModelFacts:
    return facts_from_config("a/b", config, 1000)


def test_an_ordinary_model() -> None:
    model = facts(QWEN)
    assert model.attention == (Attention(28, 4, 128, 128),)
    assert (model.heads, model.hidden, model.vocab, model.context_tokens) == (28, 3584, 152064, 32768)
    assert (model.dtype, model.quantisation, model.weight_bytes, model.assumptions) == ("bfloat16", "none", 1000, ())


def test_a_stated_head_dim_counts_before_the_quotient() -> None:
    assert facts({**QWEN, "head_dim": 64}).attention == (Attention(28, 4, 64, 64),)


def test_without_kv_heads_every_head_has_its_own() -> None:
    config = {key: value for key, value in QWEN.items() if key != "num_key_value_heads"}
    assert facts(config).attention[0].kv_heads == 28


def test_layer_types_that_are_all_full_make_an_ordinary_model() -> None:
    assert facts({**QWEN, "layer_types": ["full_attention"] * 28}).attention == (Attention(28, 4, 128, 128),)


def test_gpt_oss_slides_in_every_second_layer() -> None:
    config = {**QWEN, "model_type": "gpt_oss", "num_hidden_layers": 24, "sliding_window": 128, "head_dim": 64}
    config |= {"num_key_value_heads": 8, "layer_types": ["sliding_attention", "full_attention"] * 12}
    assert facts(config).attention == (Attention(12, 8, 64, 64), Attention(12, 8, 64, 64, 128))


def test_gemma_3_names_a_pattern_and_is_not_for_float16() -> None:
    text = {
        **QWEN,
        "model_type": "gemma3_text",
        "sliding_window": 1024,
        "sliding_window_pattern": 6,
        "num_hidden_layers": 26,
    }
    model = facts({"model_type": "gemma3", "text_config": text, "torch_dtype": "bfloat16"})
    assert model.attention == (Attention(4, 4, 128, 128), Attention(22, 4, 128, 128, 1024))
    assert model.float16_unstable


def test_gemma_4_has_wider_and_fewer_heads_in_its_global_layers() -> None:
    text = {**QWEN, "num_hidden_layers": 6, "num_key_value_heads": 16, "head_dim": 256, "sliding_window": 1024}
    text |= {"global_head_dim": 512, "num_global_key_value_heads": 4, "attention_k_eq_v": True}
    text |= {"layer_types": ["sliding_attention"] * 5 + ["full_attention"]}
    assert facts({"text_config": text}).attention == (Attention(1, 4, 512, 512), Attention(5, 16, 256, 256, 1024))
    text["attention_k_eq_v"] = False
    assert facts({"text_config": text}).attention[0] == Attention(1, 16, 512, 512)


def test_layers_that_reuse_a_cache_have_none_of_their_own() -> None:
    types = ["sliding_attention"] * 4 + ["full_attention"]
    model = facts(
        {**QWEN, "num_hidden_layers": 10, "sliding_window": 512, "layer_types": types * 2, "num_kv_shared_layers": 5}
    )
    assert model.attention == (Attention(1, 4, 128, 128), Attention(4, 4, 128, 128, 512))
    assert "reuse" in model.assumptions[0].en


def test_a_bare_window_slides_in_every_layer_and_is_said() -> None:
    model = facts({**QWEN, "model_type": "mistral", "sliding_window": 4096, "use_sliding_window": None})
    assert model.attention == (Attention(28, 4, 128, 128, 4096),)
    assert "4096" in model.assumptions[0].ja


def test_linear_attention_keeps_a_state_of_fixed_size() -> None:
    linear = {"linear_num_value_heads": 32, "linear_value_head_dim": 128, "linear_num_key_heads": 16}
    linear |= {"linear_key_head_dim": 128, "linear_conv_kernel_dim": 4}
    model = facts({**QWEN, **linear, "full_attention_interval": 4, "num_hidden_layers": 28, "model_type": "qwen3_next"})
    full, state = model.attention
    assert full == Attention(7, 4, 128, 128)
    assert (state.layers, state.elements) == (21, 0)
    assert state.state_bytes == 4 * (32 * 128 * 128 + (2 * 16 * 128 + 32 * 128) * 3)


def test_latent_attention_keeps_one_small_vector() -> None:
    model = facts({**QWEN, "kv_lora_rank": 512, "qk_rope_head_dim": 64, "num_hidden_layers": 27})
    assert model.attention == (Attention(27, 1, 576, 0),)
    assert kv_bytes_per_token(model.attention, 2) == 27 * 576 * 2


@table(
    ("rope", "context"),
    [
        ({"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192}, 32768),
        ({"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}, 131072),
        ({"type": "linear", "factor": 2.0}, 65536),
        ({"rope_type": "default", "rope_theta": 10000.0}, 32768),
        (None, 32768),
        ("odd", 32768),
    ],
)
def test_the_context_is_stretched_where_the_config_stretches_it(rope: object, context: int) -> None:
    assert facts({**QWEN, "rope_scaling": rope}).context_tokens == context


@table(
    ("settings", "quantisation", "variant"),
    [
        ({"quant_method": "awq", "bits": 4}, "awq", ""),
        ({"quant_method": "gptq", "bits": 8}, "gptq", "8-bit"),
        ({"quant_method": "compressed-tensors"}, "compressed-tensors", ""),
        ({"quant_method": "mxfp4"}, "mxfp4", ""),
        ({"quant_method": "new-thing"}, "other", "new-thing"),
    ],
)
def test_quantisation_is_what_the_config_says(settings: dict[str, Any], quantisation: str, variant: str) -> None:
    model = facts({**QWEN, "quantization_config": settings})
    assert (model.quantisation, model.variant) == (quantisation, variant)


@pytest.mark.parametrize("missing", ["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"])
def test_a_config_without_what_is_needed_names_it(missing: str) -> None:
    with pytest.raises(FactsMissing, match=missing):
        facts({key: value for key, value in QWEN.items() if key != missing})


@table("value", [0, -1, "28", True, None, 10**12, 2.5, [28]])
def test_absurd_numbers_are_no_numbers(value: object) -> None:
    with pytest.raises(FactsMissing, match="num_hidden_layers"):
        facts({**QWEN, "num_hidden_layers": value})


@pytest.mark.parametrize("types", [["full_attention"] * 3, ["mamba"] * 28])
def test_layers_that_cannot_be_counted_are_not_guessed(types: list[str]) -> None:
    with pytest.raises(FactsMissing, match=r"config\.json"):
        facts({**QWEN, "layer_types": types})
