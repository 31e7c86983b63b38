"""The planner's KV cache is what a real vLLM says of itself at start: on the tiny model, and on a model with windows."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from hayate.tools.planner.arithmetic import GIB, Paging, concurrency, kv_bytes_per_sequence, kv_tokens
from hayate.tools.planner.resolve import resolve_model
from tests.engines.launch import ENGINES, TINY_HF
from tests.engines.shared import installed
from tests.support.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.vllm]

SAID = re.compile(r"KV cache size: ([\d,]+) tokens, Maximum concurrency for ([\d,]+) tokens per request: ([\d.]+)x")
# vLLM on CPU: blocks of 128 tokens, one batch of 2048 in flight.
CPU_PAGING = Paging(128, 2048, 1, padded_groups=True)
WITHIN = 0.05
START_S = 180

# Shaped like Gemma 3, with layer counts that don't divide evenly, so that padding counts too. No weights are needed.
GEMMA = {
    "architectures": ["Gemma3ForCausalLM"],
    "model_type": "gemma3_text",
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 7,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": 2048,
    "max_position_embeddings": 8192,
    "sliding_window": 512,
    "layer_types": [*["sliding_attention", "sliding_attention", "full_attention"] * 2, "sliding_attention"],
    "query_pre_attn_scalar": 32,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "rope_local_base_freq": 1e4,
    "tie_word_embeddings": True,
    "torch_dtype": "float32",
}


def told_at_start(model: Path, folder: Path, context: int, *more: str) -> tuple[int, int, float]:
    """Tokens, context and concurrency that vLLM prints for 1 GiB of cache."""
    env = {
        **os.environ,
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    options = ("--dtype", "float32", "--enforce-eager", "--max-num-seqs", "4", "--max-model-len", str(context), *more)
    program = str(ENGINES / "vllm/bin/vllm")
    command = [program, "serve", str(model), "--host", "127.0.0.1", "--port", str(free_port()), *options]
    log = folder / "vllm.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        ends_at = time.monotonic() + START_S
        while time.monotonic() < ends_at:
            ended = process.poll() is not None
            if said := SAID.search(log.read_text(errors="replace")):
                return int(said[1].replace(",", "")), int(said[2].replace(",", "")), float(said[3])
            if ended:
                break
            time.sleep(0.2)
        raise AssertionError(log.read_text(errors="replace")[-4000:])
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)


def planned(model: Path, context: int) -> tuple[int, float]:
    attention = resolve_model(str(model), ()).attention
    room = concurrency(GIB, kv_bytes_per_sequence(attention, context, 4, CPU_PAGING))
    return kv_tokens(GIB, attention, context, 4, CPU_PAGING), room


def test_the_tiny_models_cache_is_what_vllm_prints(tmp_path: Path) -> None:
    installed("vllm")
    tokens, context, concurrent = told_at_start(TINY_HF, tmp_path, 4096)
    ours, room = planned(TINY_HF, 4096)
    assert context == 4096
    assert ours == pytest.approx(tokens, rel=WITHIN)
    assert room == pytest.approx(concurrent, rel=WITHIN)


def test_a_model_with_windows_is_counted_as_vllm_counts_it(tmp_path: Path) -> None:
    installed("vllm")
    model = tmp_path / "windowed"
    model.mkdir()
    (model / "config.json").write_text(json.dumps(GEMMA))
    for name in ("tokenizer.json", "tokenizer_config.json", "model.safetensors"):
        shutil.copy(TINY_HF / name, model / name)
    tokens, _, concurrent = told_at_start(model, tmp_path, 8192, "--load-format", "dummy")
    ours, room = planned(model, 8192)
    assert ours == pytest.approx(tokens, rel=WITHIN)
    assert room == pytest.approx(concurrent, rel=WITHIN)
