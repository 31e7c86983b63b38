#!/usr/bin/env bash
# Starts vLLM's OpenAI server on MODEL: in the vllm/vllm-openai image, or wherever `vllm` is on the PATH.
# Settings come from the environment (README.md beside this file). Arguments go to `vllm serve` last, so they win.
set -euo pipefail

model=${MODEL:-Qwen/Qwen2.5-7B-Instruct}

# Which format the model writes tool calls in. vLLM needs to be told, and ignores tools otherwise.
tool_parser() {
    local name=${1,,}
    case $name in
        *qwen3-coder*) echo qwen3_coder ;;
        *qwen* | *bakeneko* | *hermes*) echo hermes ;;
        *llama-3* | *llama3* | *swallow*) echo llama3_json ;;
        *cyberagent/mistral-nemo-japanese*) echo none ;; # a ChatML fine-tune: it never learned Mistral's tool tokens
        *mistral* | *nemo*) echo mistral ;;
        *) echo none ;;
    esac
}

args=(
    --host "${VLLM_HOST:-127.0.0.1}"
    --port "${VLLM_PORT:-8000}"
    # `auto`: the model's own context, or as much of it as the KV cache has room for.
    --max-model-len "${VLLM_MAX_MODEL_LEN:-auto}"
    --gpu-memory-utilization "${VLLM_GPU_MEMORY_UTILIZATION:-0.90}"
    --dtype "${VLLM_DTYPE:-auto}"
    --kv-cache-dtype "${VLLM_KV_CACHE_DTYPE:-auto}"
    # On SIGTERM answers under way finish; without it they end as if they were whole, with finish_reason "abort".
    --shutdown-timeout "${VLLM_SHUTDOWN_TIMEOUT:-60}"
    # vLLM's own queue has no end otherwise. Above the gateway's max_in_flight (4096), so that only a stranger meets it.
    --max-num-queued-reqs "${VLLM_MAX_QUEUED:-8192}"
    # One id through the gateway's log, vLLM's log and the answer.
    --enable-request-id-headers
    --enable-prompt-tokens-details
    # The gateway logs each call; a second line for it, and one for every health probe, helps nobody.
    --disable-uvicorn-access-log
)
[[ -z ${VLLM_MAX_NUM_SEQS:-} ]] || args+=(--max-num-seqs "$VLLM_MAX_NUM_SEQS")

parser=${VLLM_TOOL_PARSER:-$(tool_parser "$model")}
[[ $parser == none ]] || args+=(--enable-auto-tool-choice --tool-call-parser "$parser")

# Quotes in VLLM_EXTRA_ARGS are honoured, as a shell would; nothing in it is executed.
if [[ -n ${VLLM_EXTRA_ARGS:-} ]]; then
    mapfile -t extra < <(xargs -n1 printf '%s\n' <<<"$VLLM_EXTRA_ARGS")
    args+=("${extra[@]}")
fi

# The key is read by vLLM from VLLM_API_KEY, never from the command line, which every process can read.
[[ -n ${VLLM_API_KEY:-} ]] || unset VLLM_API_KEY
export VLLM_NO_USAGE_STATS=${VLLM_NO_USAGE_STATS:-1} DO_NOT_TRACK=${DO_NOT_TRACK:-1}

exec vllm serve "$model" "${args[@]}" "$@"
