"""The flags and `.env` lines that follow from a plan, engine by engine."""

from __future__ import annotations

import re
from pathlib import Path

from hayate.tools.planner.catalogue import find_model, load_catalogue
from hayate.tools.planner.engines import ENGINES, EngineName
from hayate.tools.planner.facts import ModelFacts
from hayate.tools.planner.flags import BACKEND_URLS, EXTRA_ARGS, Flags, LaunchSettings, engine_flags
from tests.support.tables import table

REPOSITORY = Path(__file__).parents[5]
COMPOSE = (REPOSITORY / "compose.yml").read_text(encoding="utf-8")
CATALOGUE = load_catalogue()
PLAIN = LaunchSettings(8192, 8, 0.9, "auto", "auto", 1)
SPECIAL = LaunchSettings(4096, 2, 0.85, "half", "fp8", 2)


def model(name: str) -> ModelFacts:
    found = find_model(CATALOGUE, name)
    assert found is not None
    return found


def flags(engine: EngineName, settings: LaunchSettings = PLAIN) -> Flags:
    name = (
        "Qwen/Qwen2.5-7B-Instruct" if ENGINES[engine].format == "safetensors" else "bartowski/Qwen2.5-7B-Instruct-GGUF"
    )
    return engine_flags(engine, model(name), settings)


def test_vllm_is_given_only_what_differs_from_its_defaults() -> None:
    given = flags("vllm")
    limits = "--max-model-len 8192 --gpu-memory-utilization 0.9 --max-num-seqs 8"
    assert " ".join(given.command) == f"vllm serve Qwen/Qwen2.5-7B-Instruct {limits}"
    assert given.extra == {"--tensor-parallel-size": None}


def test_vllm_with_everything() -> None:
    given = flags("vllm", SPECIAL)
    assert " ".join(given.command[-6:]) == "--dtype half --kv-cache-dtype fp8 --tensor-parallel-size 2"
    assert given.env["VLLM_DTYPE"] == "half"
    assert given.env["VLLM_KV_CACHE_DTYPE"] == "fp8"
    assert "--quantization" not in given.command


def test_trtllm_serve() -> None:
    limits = "--max_seq_len 4096 --max_batch_size 2 --kv_cache_free_gpu_memory_fraction 0.85"
    assert " ".join(flags("trtllm", SPECIAL).command) == f"trtllm-serve Qwen/Qwen2.5-7B-Instruct {limits} --tp_size 2"


def test_sglang() -> None:
    given = flags("sglang", SPECIAL)
    assert given.extra == {"--tp-size": "2", "--dtype": "half", "--kv-cache-dtype": "fp8_e4m3"}
    assert given.env["SGLANG_MEM_FRACTION"] == "0.85"


def test_llamacpp_splits_its_context_over_the_slots() -> None:
    given = flags("llamacpp", LaunchSettings(8192, 4, 0.9, "auto", "q8_0", 1, 20))
    assert " ".join(given.command) == (
        "llama-server -hf bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M -c 32768 -np 4 -ngl 20"
        " --cache-type-k q8_0 --cache-type-v q8_0"
    )
    assert given.env["MODEL"] == "bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M"


def test_ollama_counts_its_context_for_each_request() -> None:
    given = flags("ollama")
    assert given.command == ("OLLAMA_CONTEXT_LENGTH=8192", "OLLAMA_NUM_PARALLEL=8", "ollama", "serve")
    assert given.env["MODEL"] == "hf.co/bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M"


def service(engine: str) -> str:
    """The lines of one service in the compose file."""
    found = re.search(rf"^  {engine}:\n(?:(?:    .*)?\n)+", COMPOSE, re.MULTILINE)
    assert found, engine
    return found[0]


@table("engine", ENGINES)
def test_the_compose_file_passes_on_what_is_written(engine: EngineName) -> None:
    names = {name for name in flags(engine, SPECIAL).env if name != "MODEL"} | {EXTRA_ARGS.get(engine, "MODEL")}
    assert {name for name in names if f" {name}:" not in service(engine) and name != "MODEL"} == set()


@table("engine", ENGINES)
def test_the_engine_is_where_the_compose_file_has_it(engine: EngineName) -> None:
    example = (REPOSITORY / ".env.example").read_text(encoding="utf-8")
    assert f"#BACKEND_URL={BACKEND_URLS[engine]}\n#COMPOSE_PROFILES={engine}\n" in example
