"""A model's shape from its Hugging Face `config.json`. Pure: a parsed file in, facts out; weights are measured elsewhere.

What counts, in this order: layers that reuse another layer's cache have none of their own (`num_kv_shared_layers`);
latent attention (`kv_lora_rank`) keeps one small vector a token; `layer_types`, or a pattern of every n-th layer, says
which layers slide, which keep a state of fixed size, and which see everything; a bare `sliding_window` means all of
them slide, unless `use_sliding_window` is false. Whatever had to be assumed is said in `assumptions`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_args

from hayate.language import Text
from hayate.tools.planner.arithmetic import Attention
from hayate.tools.planner.facts import FactsMissing, ModelFacts, Quantisation

Config = Mapping[str, Any]
FULL, SLIDING, LINEAR, CHUNKED = "full_attention", "sliding_attention", "linear_attention", "chunked_attention"
# Models that vLLM refuses to run in float16 because they overflow.
FLOAT16_UNSTABLE = ("gemma", "glm4")
LARGEST_COUNT = 10**9


def _integer(config: Config, key: str, *others: str, default: int | None = None) -> int:
    for name in (key, *others):
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST_COUNT:
            return value
    if default is None:
        raise FactsMissing(f"config.json has no usable {key!r}", f"config.json に使える {key!r} がありません")
    return default


def _optional(config: Config, key: str) -> int | None:
    value = config.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST_COUNT else None


def facts_from_config(model_id: str, config: Config, weight_bytes: int, source: str = "") -> ModelFacts:
    """The model that `config` describes. Raises FactsMissing when it does not say what is needed."""
    inner = config.get("text_config")
    text: Config = {**config, **inner} if isinstance(inner, Mapping) else config
    hidden = _integer(text, "hidden_size", "n_embd", "d_model")
    heads = _integer(text, "num_attention_heads", "n_head")
    notes: list[Text] = []
    quantisation, variant = _quantisation(config, text)
    dtype = text.get("dtype") or text.get("torch_dtype") or config.get("dtype") or config.get("torch_dtype")
    return ModelFacts(
        id=model_id,
        attention=_attention(text, hidden, heads, notes),
        heads=heads,
        hidden=hidden,
        vocab=_integer(text, "vocab_size"),
        context_tokens=_context(text),
        weight_bytes=weight_bytes,
        dtype=dtype if dtype in ("bfloat16", "float16", "float32") else "bfloat16",
        quantisation=quantisation,
        variant=variant,
        source=source,
        assumptions=tuple(notes),
        float16_unstable=str(config.get("model_type", "")).startswith(FLOAT16_UNSTABLE),
    )


def _attention(text: Config, hidden: int, heads: int, notes: list[Text]) -> tuple[Attention, ...]:
    layers = _integer(text, "num_hidden_layers", "n_layer")
    types = _layer_types(text, layers)
    if types is None and (rank := _optional(text, "kv_lora_rank")):
        return (Attention(layers, 1, rank + (_optional(text, "qk_rope_head_dim") or 0), 0),)
    kv_heads = _integer(text, "num_key_value_heads", default=heads)
    head_dim = _integer(text, "head_dim", default=max(1, hidden // heads))
    window = _optional(text, "sliding_window")
    if types is None:
        slides = (
            window is not None
            and text.get("use_sliding_window") is not False
            and str(text.get("model_type")) != "qwen2"
        )
        if slides:
            notes.append(
                Text(
                    f"Every layer is taken to slide over {window} tokens.",
                    f"すべての層が{window}トークンの窓をスライドするものとして計算しています。",
                )
            )
        return (Attention(layers, kv_heads, head_dim, head_dim, window if slides else None),)
    own = types[: len(types) - (_optional(text, "num_kv_shared_layers") or 0)]
    if len(own) < len(types):
        notes.append(
            Text(
                f"The last {len(types) - len(own)} layers reuse earlier layers' cache.",
                f"最後の{len(types) - len(own)}層は前の層のキャッシュを共有するものとして計算しています。",
            )
        )
    return tuple(_kinds(text, own, Attention(1, kv_heads, head_dim, head_dim), notes))


def _layer_types(text: Config, layers: int) -> list[str] | None:
    """One name per layer, or None when the layers are all alike."""
    types = text.get("layer_types")
    if isinstance(types, list) and types:
        if len(types) != layers:
            raise FactsMissing(
                "config.json: layer_types does not name every layer", "config.json の layer_types が層の数と合いません"
            )
        known = {FULL, SLIDING, LINEAR, CHUNKED}
        if odd := sorted({str(name) for name in types} - known):
            raise FactsMissing(
                f"config.json: layers of kind {', '.join(odd)} can't be counted",
                f"config.json の層の種類 {', '.join(odd)} は計算できません",
            )
        return (
            None
            if set(types) == {FULL} and not _optional(text, "num_kv_shared_layers")
            else [str(name) for name in types]
        )
    if (pattern := _optional(text, "sliding_window_pattern")) and _optional(text, "sliding_window"):
        return [FULL if (n + 1) % pattern == 0 else SLIDING for n in range(layers)]
    if interval := _optional(text, "full_attention_interval"):
        return [FULL if (n + 1) % interval == 0 else LINEAR for n in range(layers)]
    return None


def _kinds(text: Config, own: list[str], plain: Attention, notes: list[Text]) -> list[Attention]:
    found: list[Attention] = []
    sliding, linear = own.count(SLIDING) + own.count(CHUNKED), own.count(LINEAR)
    if full := own.count(FULL):
        dim = _optional(text, "global_head_dim") or plain.key_dim
        heads = _optional(text, "num_global_key_value_heads") if text.get("attention_k_eq_v", True) else None
        found.append(Attention(full, heads or plain.kv_heads, dim, dim))
    if sliding:
        window = _integer(text, "sliding_window", "attention_chunk_size")
        found.append(Attention(sliding, plain.kv_heads, plain.key_dim, plain.value_dim, window))
    if linear:
        found.append(Attention(linear, state_bytes=_linear_state_bytes(text)))
        notes.append(
            Text(
                f"{linear} linear-attention layers keep a state of fixed size, counted in float32.",
                f"線形アテンションの{linear}層は固定サイズの状態を持つものとして、float32で計算しています。",
            )
        )
    return found


def _linear_state_bytes(text: Config) -> int:
    """A gated-delta state per value head, and the convolution's last few inputs."""
    value_heads, value_dim = _integer(text, "linear_num_value_heads"), _integer(text, "linear_value_head_dim")
    key_heads, key_dim = _integer(text, "linear_num_key_heads"), _integer(text, "linear_key_head_dim")
    channels = 2 * key_heads * key_dim + value_heads * value_dim
    return 4 * (
        value_heads * key_dim * value_dim + channels * (_integer(text, "linear_conv_kernel_dim", default=4) - 1)
    )


def _context(text: Config) -> int:
    """`max_position_embeddings`, stretched where the config switches a stretching RoPE on, as vLLM derives it."""
    context = _integer(text, "max_position_embeddings", "n_positions", "max_sequence_length", "seq_length")
    rope = text.get("rope_scaling") or text.get("rope_parameters")
    if not isinstance(rope, Mapping) or "gemma3" in str(text.get("model_type", "")):
        return context
    kind, factor = rope.get("rope_type") or rope.get("type"), rope.get("factor")
    if kind == "yarn" and isinstance(factor, int | float):
        original = _optional(rope, "original_max_position_embeddings")
        return max(context, int(original * factor)) if original else context
    if kind in ("linear", "dynamic") and isinstance(factor, int | float) and math.isfinite(factor) and factor >= 1:
        return int(context * factor)
    return context


def _quantisation(config: Config, text: Config) -> tuple[Quantisation, str]:
    settings = config.get("quantization_config") or text.get("quantization_config")
    if not isinstance(settings, Mapping):
        return "none", ""
    method = str(settings.get("quant_method", "other")).lower()
    bits = settings.get("bits")
    variant = f"{bits}-bit" if isinstance(bits, int) and method in ("gptq", "bitsandbytes") else ""
    for name in get_args(Quantisation):
        if name == method:
            return name, variant
    return "other", method
