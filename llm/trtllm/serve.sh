#!/usr/bin/env bash
# Starts TensorRT-LLM's OpenAI server on Hugging Face weights (the PyTorch backend): in NVIDIA's tensorrt-llm/release image,
# or wherever `trtllm-serve` is on the PATH. No engine is built; ../triton/build-engine.sh does that for the releases that can.
# Settings come from the environment (README.md beside this file). Arguments go to `trtllm-serve` last, so they win.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
model=${MODEL:-Qwen/Qwen2.5-7B-Instruct}

case $model in
    *.gguf | *-GGUF | *-GGUF:*)
        echo "MODEL=$model is a GGUF: TensorRT-LLM reads Hugging Face weights. Use LLM_BACKEND=llamacpp or ollama for it." >&2
        exit 2
        ;;
esac

args=(
    --host "${TRTLLM_HOST:-127.0.0.1}"
    --port "${TRTLLM_PORT:-8000}"
    # Of what is left after the weights; the rest is room for activations.
    --kv_cache_free_gpu_memory_fraction "${TRTLLM_KV_FRACTION:-0.9}"
    --config "${TRTLLM_CONFIG:-$here/serve.yml}"
)
[[ -z ${TRTLLM_MAX_SEQ_LEN:-} ]] || args+=(--max_seq_len "$TRTLLM_MAX_SEQ_LEN")
[[ -z ${TRTLLM_MAX_BATCH_SIZE:-} ]] || args+=(--max_batch_size "$TRTLLM_MAX_BATCH_SIZE")
[[ -z ${TRTLLM_TOOL_PARSER:-} ]] || args+=(--tool_parser "$TRTLLM_TOOL_PARSER")

# Quotes in TRTLLM_EXTRA_ARGS are honoured, as a shell would; nothing in it is executed.
if [[ -n ${TRTLLM_EXTRA_ARGS:-} ]]; then
    mapfile -t extra < <(xargs -n1 printf '%s\n' <<<"$TRTLLM_EXTRA_ARGS")
    args+=("${extra[@]}")
fi

exec trtllm-serve "$model" "${args[@]}" "$@"
