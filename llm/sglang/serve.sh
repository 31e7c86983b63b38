#!/usr/bin/env bash
# Starts SGLang's OpenAI server on MODEL: in the lmsysorg/sglang image, or wherever python3 has sglang.
# Settings come from the environment (README.md beside this file). Arguments go to SGLang last, so they win.
set -euo pipefail

model=${MODEL:-Qwen/Qwen2.5-7B-Instruct}

# Which format the model writes tool calls in; SGLang passes them through as text when it isn't told.
tool_parser() {
    local name=${1,,}
    case $name in
        *qwen3-coder*) echo qwen3_coder ;;
        *qwen* | *bakeneko*) echo qwen25 ;;
        *llama-3* | *llama3* | *swallow*) echo llama3 ;;
        *cyberagent/mistral-nemo-japanese*) echo none ;; # a ChatML fine-tune: it never learned Mistral's tool tokens
        *mistral* | *nemo*) echo mistral ;;
        *) echo none ;;
    esac
}

args=(
    --model-path "$model"
    --host "${SGLANG_HOST:-127.0.0.1}"
    --port "${SGLANG_PORT:-30000}"
    # Weights and KV cache together, of the whole GPU.
    --mem-fraction-static "${SGLANG_MEM_FRACTION:-0.85}"
    --enable-metrics
)
[[ -z ${SGLANG_CONTEXT_LENGTH:-} ]] || args+=(--context-length "$SGLANG_CONTEXT_LENGTH")
[[ -z ${SGLANG_MAX_RUNNING:-} ]] || args+=(--max-running-requests "$SGLANG_MAX_RUNNING")

parser=${SGLANG_TOOL_PARSER:-$(tool_parser "$model")}
[[ $parser == none ]] || args+=(--tool-call-parser "$parser")

# Quotes in SGLANG_EXTRA_ARGS are honoured, as a shell would; nothing in it is executed.
if [[ -n ${SGLANG_EXTRA_ARGS:-} ]]; then
    mapfile -t extra < <(xargs -n1 printf '%s\n' <<<"$SGLANG_EXTRA_ARGS")
    args+=("${extra[@]}")
fi

exec python3 -m sglang.launch_server "${args[@]}" "$@"
