#!/usr/bin/env bash
# Starts Triton with TensorRT-LLM behind its generate endpoint, in NVIDIA's tritonserver:YY.MM-trtllm-python-py3 images.
#   without TRITON_ENGINE_DIR  the newer way: the `tensorrt_llm` model on Hugging Face weights (LLM API, PyTorch backend)
#   with TRITON_ENGINE_DIR     the classic way: the `ensemble` on an engine made by build-engine.sh
# Settings come from the environment (README.md beside this file). Arguments go to `tritonserver` last, so they win.
# One GPU; several GPUs need MPI's launcher (README.md).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# The models NVIDIA ships in the image. A bare-metal install points this at TensorRT-LLM's triton_backend/all_models.
templates=${TRITON_TEMPLATES:-/app/all_models}
repository=${TRITON_REPOSITORY:-$(mktemp -d)/models}

if [[ -n ${TRITON_ENGINE_DIR:-} ]]; then
    "$here/classic-repository.sh" "$templates/inflight_batcher_llm" "$repository"
else
    "$here/llmapi-repository.sh" "$templates/llmapi" "$repository"
fi

args=(
    --model-repository="$repository"
    --http-address="${TRITON_HOST:-127.0.0.1}"
    --http-port="${TRITON_PORT:-8000}"
    # Only the generate endpoint and the probes are used.
    --allow-grpc=false
    --metrics-address="${TRITON_HOST:-127.0.0.1}"
    --metrics-port="${TRITON_METRICS_PORT:-8002}"
    # Answers under way may end before the process does; an idle connection is waited for just the same.
    --exit-timeout-secs="${TRITON_SHUTDOWN_TIMEOUT:-30}"
)

# Quotes in TRITON_EXTRA_ARGS are honoured, as a shell would; nothing in it is executed.
if [[ -n ${TRITON_EXTRA_ARGS:-} ]]; then
    mapfile -t extra < <(xargs -n1 printf '%s\n' <<<"$TRITON_EXTRA_ARGS")
    args+=("${extra[@]}")
fi

exec "$(command -v tritonserver || echo /opt/tritonserver/bin/tritonserver)" "${args[@]}" "$@"
