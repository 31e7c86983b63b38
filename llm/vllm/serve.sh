#!/usr/bin/env bash
# Starts vLLM's OpenAI server on MODEL: in the vllm/vllm-openai image, or wherever `vllm` is on the PATH.
# Settings come from the environment (README.md beside this file). Arguments go to `vllm serve` last, so they win.
set -euo pipefail

model=${MODEL:-Qwen/Qwen2.5-7B-Instruct}

# How the model writes tool calls, and how it writes what it thinks first: vLLM's names for both, by the model's name. vLLM needs to
# be told; it ignores tools otherwise, and leaves the thoughts in the answer.
parsers() {
    case ${1,,} in
        *gpt-oss*) echo openai openai_gptoss ;; # before the names of those who trained it further
        *gemma-4*) echo gemma4 gemma4 ;;
        *deepseek-r1*) echo none deepseek_r1 ;;
        *qwq*) echo hermes deepseek_r1 ;;
        *qwen3-coder*) echo qwen3_coder none ;;
        *qwen3.[5-9]*) echo qwen3_coder qwen3 ;;
        *qwen3*instruct*) echo hermes none ;; # the line that never thinks
        *qwen3*) echo hermes qwen3 ;;
        *qwen* | *bakeneko* | *hermes*) echo hermes none ;;
        *llama-3* | *llama3*) echo llama3_json none ;;
        *cyberagent/mistral-nemo-japanese*) echo none none ;; # a ChatML fine-tune: it never learned Mistral's tool tokens
        *mistral* | *nemo*) echo mistral none ;;
        *) echo none none ;;
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
    # vLLM's own queue has no end otherwise. Above what the gateway sends at most (4096), so that only a stranger meets it.
    --max-num-queued-reqs "${VLLM_MAX_QUEUED:-8192}"
    # One id through the gateway's log, vLLM's log and the answer.
    --enable-request-id-headers
    --enable-prompt-tokens-details
    # The gateway logs each call; a second line for it, and one for every health probe, helps nobody.
    --disable-uvicorn-access-log
)
[[ -z ${VLLM_MAX_NUM_SEQS:-} ]] || args+=(--max-num-seqs "$VLLM_MAX_NUM_SEQS")

read -r tools thoughts < <(parsers "$model")
tools=${VLLM_TOOL_PARSER:-$tools}
thoughts=${VLLM_REASONING_PARSER:-$thoughts}
[[ $tools == none ]] || args+=(--enable-auto-tool-choice --tool-call-parser "$tools")
[[ $thoughts == none ]] || args+=(--reasoning-parser "$thoughts")

# Quotes in VLLM_EXTRA_ARGS are honoured, as a shell would; nothing in it is executed.
if [[ -n ${VLLM_EXTRA_ARGS:-} ]]; then
    mapfile -t extra < <(xargs -n1 printf '%s\n' <<<"$VLLM_EXTRA_ARGS")
    args+=("${extra[@]}")
fi

# Sleep mode: the gateway puts the model to sleep and wakes it, so that several take turns on one GPU. Its paths are vLLM's development
# paths, which ask for no key: the port has to stay where only the gateway reaches it.
rm -f "${VLLM_ASLEEP_FILE:=/tmp/vllm-asleep}"
if [[ ${VLLM_ENABLE_SLEEP_MODE:-0} == 1 ]]; then
    args+=(--enable-sleep-mode)
    export VLLM_SERVER_DEV_MODE=1
    # With a level (1, 2) it sleeps as soon as it is loaded, so that the next engine finds the memory free, and the file says so.
    if [[ -n ${VLLM_START_ASLEEP:-} ]]; then
        python3 "$(dirname "$0")/asleep.py" "${VLLM_PORT:-8000}" "$VLLM_START_ASLEEP" "$VLLM_ASLEEP_FILE" &
    fi
fi

# The key is read by vLLM from VLLM_API_KEY, never from the command line, which every process can read.
[[ -n ${VLLM_API_KEY:-} ]] || unset VLLM_API_KEY
export VLLM_NO_USAGE_STATS=${VLLM_NO_USAGE_STATS:-1} DO_NOT_TRACK=${DO_NOT_TRACK:-1}

exec vllm serve "$model" "${args[@]}" "$@"
