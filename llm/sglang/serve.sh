#!/usr/bin/env bash
# Starts SGLang's OpenAI server on MODEL: in the lmsysorg/sglang image, or wherever python3 has sglang.
# Settings come from the environment (README.md beside this file). Arguments go to SGLang last, so they win.
set -euo pipefail

model=${MODEL:-Qwen/Qwen2.5-7B-Instruct}

# How the model writes tool calls, and how it writes what it thinks first: SGLang's names for both, by the model's name. What it is
# not told of stays in the answer's text.
parsers() {
    case ${1,,} in
        *gpt-oss*) echo gpt-oss gpt-oss ;; # before the names of those who trained it further
        *gemma-4*) echo gemma4 gemma4 ;;
        *deepseek-r1*) echo none deepseek-r1 ;;
        *qwq*) echo qwen25 deepseek-r1 ;;
        *qwen3-coder*) echo qwen3_coder none ;;
        *qwen3.[5-9]*) echo qwen3_coder qwen3 ;;
        *qwen3*instruct*) echo qwen25 none ;; # the line that never thinks
        *qwen3*) echo qwen25 qwen3 ;;
        *qwen* | *bakeneko*) echo qwen25 none ;;
        *llama-3* | *llama3*) echo llama3 none ;;
        *cyberagent/mistral-nemo-japanese*) echo none none ;; # a ChatML fine-tune: it never learned Mistral's tool tokens
        *mistral* | *nemo*) echo mistral none ;;
        *) echo none none ;;
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

read -r tools thoughts < <(parsers "$model")
tools=${SGLANG_TOOL_PARSER:-$tools}
thoughts=${SGLANG_REASONING_PARSER:-$thoughts}
[[ $tools == none ]] || args+=(--tool-call-parser "$tools")
[[ $thoughts == none ]] || args+=(--reasoning-parser "$thoughts")

# Quotes in SGLANG_EXTRA_ARGS are honoured, as a shell would; nothing in it is executed.
if [[ -n ${SGLANG_EXTRA_ARGS:-} ]]; then
    mapfile -t extra < <(xargs -n1 printf '%s\n' <<<"$SGLANG_EXTRA_ARGS")
    args+=("${extra[@]}")
fi

exec python3 -m sglang.launch_server "${args[@]}" "$@"
