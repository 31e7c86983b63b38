"""A plan as the engine's own flags, and as the lines of `.env` that the launch files under `llm/` read. Pure.

Only what differs from an engine's default is flagged: `--quantization` never is (vLLM finds it in the model's config
and picks the fast kernel; naming `awq` once forced the slow one), `--dtype` and `--kv-cache-dtype` when they are not
`auto`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hayate.tools.planner.engines import EngineName, KvDtype
from hayate.tools.planner.facts import ModelFacts

ALL_LAYERS = 99
EXTRA_ARGS: Mapping[EngineName, str] = {
    "vllm": "VLLM_EXTRA_ARGS",
    "sglang": "SGLANG_EXTRA_ARGS",
    "trtllm": "TRTLLM_EXTRA_ARGS",
    "llamacpp": "LLAMACPP_EXTRA_ARGS",
}
# Where the compose file's service of each engine answers.
BACKEND_URLS: Mapping[EngineName, str] = {
    "vllm": "http://vllm:8000",
    "sglang": "http://sglang:30000",
    "trtllm": "http://trtllm:8000",
    "llamacpp": "http://llamacpp:8081",
    "ollama": "http://ollama:11434",
}


@dataclass(frozen=True, slots=True)
class LaunchSettings:
    """What the engine is to be started with, before it is put in that engine's own words."""

    context_tokens: int
    sequences: int
    utilization: float
    dtype: str
    kv_dtype: KvDtype
    gpus: int
    gpu_layers: int = ALL_LAYERS


@dataclass(frozen=True, slots=True)
class Flags:
    """`command` for a terminal; `env` for `.env`; `extra` are flags for the engine's EXTRA_ARGS, None to take one out."""

    command: tuple[str, ...]
    env: dict[str, str]
    extra: dict[str, str | None] = field(default_factory=dict)


def engine_flags(engine: EngineName, model: ModelFacts, settings: LaunchSettings) -> Flags:
    """The flags of `engine` for `model` under `settings`."""
    writers = {"vllm": _vllm, "sglang": _sglang, "trtllm": _trtllm, "llamacpp": _llamacpp, "ollama": _ollama}
    return writers[engine](model, settings)


def _given(flags: Mapping[str, str | None]) -> tuple[str, ...]:
    """Flags with their values, without those that are None."""
    return tuple(part for name, value in flags.items() if value is not None for part in (name, value))


def _several(gpus: int) -> str | None:
    return str(gpus) if gpus > 1 else None


def _unless_auto(value: str) -> str | None:
    return None if value == "auto" else value


def _vllm(model: ModelFacts, s: LaunchSettings) -> Flags:
    extra = {"--tensor-parallel-size": _several(s.gpus)}
    flags = {
        "--max-model-len": str(s.context_tokens),
        "--gpu-memory-utilization": f"{s.utilization:g}",
        "--max-num-seqs": str(s.sequences),
        "--dtype": _unless_auto(s.dtype),
        "--kv-cache-dtype": _unless_auto(s.kv_dtype),
    }
    env = {
        "MODEL": model.id,
        "VLLM_MAX_MODEL_LEN": str(s.context_tokens),
        "VLLM_GPU_MEMORY_UTILIZATION": f"{s.utilization:g}",
        "VLLM_MAX_NUM_SEQS": str(s.sequences),
        "VLLM_DTYPE": s.dtype,
        "VLLM_KV_CACHE_DTYPE": s.kv_dtype,
    }
    return Flags(("vllm", "serve", model.id, *_given(flags), *_given(extra)), env, extra)


def _sglang(model: ModelFacts, s: LaunchSettings) -> Flags:
    extra = {
        "--tp-size": _several(s.gpus),
        "--dtype": _unless_auto(s.dtype),
        "--kv-cache-dtype": "fp8_e4m3" if s.kv_dtype == "fp8" else None,
    }
    flags = {
        "--model-path": model.id,
        "--context-length": str(s.context_tokens),
        "--max-running-requests": str(s.sequences),
        "--mem-fraction-static": f"{s.utilization:g}",
    }
    env = {
        "MODEL": model.id,
        "SGLANG_CONTEXT_LENGTH": str(s.context_tokens),
        "SGLANG_MAX_RUNNING": str(s.sequences),
        "SGLANG_MEM_FRACTION": f"{s.utilization:g}",
    }
    return Flags(("python3", "-m", "sglang.launch_server", *_given(flags), *_given(extra)), env, extra)


def _trtllm(model: ModelFacts, s: LaunchSettings) -> Flags:
    extra = {"--tp_size": _several(s.gpus)}
    flags = {
        "--max_seq_len": str(s.context_tokens),
        "--max_batch_size": str(s.sequences),
        "--kv_cache_free_gpu_memory_fraction": f"{s.utilization:g}",
    }
    env = {
        "MODEL": model.id,
        "TRTLLM_MAX_SEQ_LEN": str(s.context_tokens),
        "TRTLLM_MAX_BATCH_SIZE": str(s.sequences),
        "TRTLLM_KV_FRACTION": f"{s.utilization:g}",
    }
    return Flags(("trtllm-serve", model.id, *_given(flags), *_given(extra)), env, extra)


def is_repository(model: ModelFacts) -> bool:
    """Whether the id names a repository of the Hub rather than a file or folder here."""
    return not model.id.endswith(".gguf") and model.id.count("/") == 1 and not model.id.startswith((".", "/", "~"))


def _llamacpp(model: ModelFacts, s: LaunchSettings) -> Flags:
    hub = is_repository(model)
    reference = f"{model.id}:{model.variant}" if hub and model.variant else model.id
    whole, kind = str(s.context_tokens * s.sequences), _unless_auto(s.kv_dtype)
    flags = {"-hf" if hub else "-m": reference, "-c": whole, "-np": str(s.sequences), "-ngl": str(s.gpu_layers)}
    extra = {"--cache-type-k": kind, "--cache-type-v": kind}
    env = {
        "MODEL": reference,
        "LLAMACPP_CTX_SIZE": whole,
        "LLAMACPP_PARALLEL": str(s.sequences),
        "LLAMACPP_N_GPU_LAYERS": str(s.gpu_layers),
    }
    return Flags(("llama-server", *_given(flags), *_given(extra)), env, extra)


def _ollama(model: ModelFacts, s: LaunchSettings) -> Flags:
    env = {"OLLAMA_CONTEXT_LENGTH": str(s.context_tokens), "OLLAMA_NUM_PARALLEL": str(s.sequences)}
    command = (*(f"{name}={value}" for name, value in env.items()), "ollama", "serve")
    if is_repository(model):
        env["MODEL"] = f"hf.co/{model.id}" + (f":{model.variant}" if model.variant else "")
    return Flags(command, env)
