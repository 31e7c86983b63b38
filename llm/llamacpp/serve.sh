#!/usr/bin/env bash
# Starts llama.cpp's server on a GGUF: in the ghcr.io/ggml-org/llama.cpp:server images, or wherever `llama-server` is on the PATH.
# MODEL is a file (/models/name.gguf) or a Hugging Face reference (owner/name-GGUF:Q4_K_M), fetched on the first start.
# Settings come from the environment (README.md beside this file). Arguments go to `llama-server` last, so they win.
set -euo pipefail

model=${MODEL:-Qwen/Qwen2.5-7B-Instruct-GGUF:Q4_K_M}
server=$(command -v llama-server || echo /app/llama-server)

# Flags of ours and the image's own LLAMA_ARG_* would both apply; the flags say it where it can be read.
unset LLAMA_ARG_HOST LLAMA_ARG_PORT

args=(
    --host "${LLAMACPP_HOST:-127.0.0.1}"
    --port "${LLAMACPP_PORT:-8081}"
    --alias "$model"
    # The context of all slots together: each of LLAMACPP_PARALLEL requests gets its share.
    --ctx-size "${LLAMACPP_CTX_SIZE:-16384}"
    --parallel "${LLAMACPP_PARALLEL:-4}"
    # `auto`: as many layers on the GPU as its memory holds; 0 keeps everything on the CPU.
    --n-gpu-layers "${LLAMACPP_N_GPU_LAYERS:-auto}"
    # The model's own chat template, which tools need.
    --jinja
    --metrics
)
if [[ -f $model || $model == /* || $model == ./* ]]; then
    if [[ ! -f $model ]]; then
        echo "MODEL=$model is not a file here. In the container, ./models of the repository is /models." >&2
        exit 2
    fi
    args=(--model "$model" "${args[@]}")
else
    args=(--hf-repo "$model" "${args[@]}")
fi
# Hugging Face's own switch for working offline, which llama.cpp does not know.
[[ ${HF_HUB_OFFLINE:-0} == 0 ]] || args+=(--offline)

# Quotes in LLAMACPP_EXTRA_ARGS are honoured, as a shell would; nothing in it is executed.
if [[ -n ${LLAMACPP_EXTRA_ARGS:-} ]]; then
    mapfile -t extra < <(xargs -n1 printf '%s\n' <<<"$LLAMACPP_EXTRA_ARGS")
    args+=("${extra[@]}")
fi

exec "$server" "${args[@]}" "$@"
