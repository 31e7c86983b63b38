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

# How the model writes tool calls, and how it writes what it thinks first: the names trtllm-serve 1.2 has for both, by the model's
# name. It reads gpt-oss's own format unasked. What it is not told of stays in the answer's text.
parsers() {
    case ${1,,} in
        *gpt-oss*) echo none none ;;
        *deepseek-r1*) echo none deepseek-r1 ;;
        *qwq*) echo qwen3 deepseek-r1 ;;
        *qwen3-coder*) echo qwen3_coder none ;;
        *qwen3*instruct*) echo qwen3 none ;; # the line that never thinks
        *qwen3*) echo qwen3 qwen3 ;;
        *qwen* | *bakeneko*) echo qwen3 none ;; # Qwen2.5 writes its calls as Qwen3 does
        *) echo none none ;;
    esac
}

args=(
    --host "${TRTLLM_HOST:-127.0.0.1}"
    --port "${TRTLLM_PORT:-8000}"
    # Of what is left after the weights; the rest is room for activations.
    --kv_cache_free_gpu_memory_fraction "${TRTLLM_KV_FRACTION:-0.9}"
    --config "${TRTLLM_CONFIG:-$here/serve.yml}"
)
[[ -z ${TRTLLM_MAX_SEQ_LEN:-} ]] || args+=(--max_seq_len "$TRTLLM_MAX_SEQ_LEN")
[[ -z ${TRTLLM_MAX_BATCH_SIZE:-} ]] || args+=(--max_batch_size "$TRTLLM_MAX_BATCH_SIZE")

read -r tools thoughts < <(parsers "$model")
tools=${TRTLLM_TOOL_PARSER:-$tools}
thoughts=${TRTLLM_REASONING_PARSER:-$thoughts}
[[ $tools == none ]] || args+=(--tool_parser "$tools")
[[ $thoughts == none ]] || args+=(--reasoning_parser "$thoughts")

# Quotes in TRTLLM_EXTRA_ARGS are honoured, as a shell would; nothing in it is executed.
if [[ -n ${TRTLLM_EXTRA_ARGS:-} ]]; then
    mapfile -t extra < <(xargs -n1 printf '%s\n' <<<"$TRTLLM_EXTRA_ARGS")
    args+=("${extra[@]}")
fi

exec trtllm-serve "$model" "${args[@]}" "$@"
