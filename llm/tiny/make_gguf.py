"""Turns the Hugging Face form of tiny-qwen2 into a GGUF of 32-bit floats for llama.cpp.

usage: python make_gguf.py FOLDER OUT.gguf [--context TOKENS]

`--context` writes another context length than the model was trained with, for tests that need a long one: it then runs on
and on, but not sensibly. Needs gguf, numpy and safetensors.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.numpy import load_file

WHOLE = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
}
IN_LAYER = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def tensor_name(name: str) -> str:
    """llama.cpp's name for a tensor of Hugging Face's."""
    owner, _, kind = name.rpartition(".")
    if owner in WHOLE:
        return f"{WHOLE[owner]}.{kind}"
    _, _, layer, part = owner.split(".", 3)  # model.layers.0.self_attn.q_proj
    return f"blk.{layer}.{IN_LAYER[part]}.{kind}"


def add_shape(writer: gguf.GGUFWriter, config: dict[str, Any], context_tokens: int) -> None:
    """What the model looks like."""
    writer.add_name("tiny-qwen2")
    writer.add_context_length(context_tokens)
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def add_tokenizer(writer: gguf.GGUFWriter, config: dict[str, Any], folder: Path) -> None:
    """The vocabulary, filled up with unused tokens to the size that the model has, the merges and the chat template."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokens = [f"[PAD{number}]" for number in range(config["vocab_size"])]
    types = [gguf.TokenType.UNUSED] * len(tokens)
    for text, number in tokenizer["model"]["vocab"].items():
        tokens[number], types[number] = text, gguf.TokenType.NORMAL
    for added in tokenizer["added_tokens"]:
        kind = gguf.TokenType.CONTROL if added["special"] else gguf.TokenType.USER_DEFINED
        tokens[added["id"]], types[added["id"]] = added["content"], kind
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(pair) for pair in tokenizer["model"]["merges"]])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(False)
    writer.add_chat_template((folder / "chat_template.jinja").read_text(encoding="utf-8"))


def main() -> None:
    """Reads the folder, writes the file."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("folder", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--context", type=int)
    wish = options.parse_args()
    config = json.loads((wish.folder / "config.json").read_text(encoding="utf-8"))
    writer = gguf.GGUFWriter(wish.out, config["model_type"])
    add_shape(writer, config, wish.context or config["max_position_embeddings"])
    add_tokenizer(writer, config, wish.folder)
    for name, tensor in load_file(wish.folder / "model.safetensors").items():
        writer.add_tensor(tensor_name(name), tensor.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{wish.out}: {wish.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
