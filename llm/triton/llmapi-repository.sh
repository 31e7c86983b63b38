#!/usr/bin/env bash
# Makes the model repository of the newer way: NVIDIA's `tensorrt_llm` Python model with a model.yaml of ours.
# usage: llmapi-repository.sh TEMPLATE REPOSITORY     reads MODEL, TRTLLM_MAX_SEQ_LEN, TRTLLM_MAX_BATCH_SIZE, TRTLLM_KV_FRACTION
set -euo pipefail

template=$1 repository=$2
model=${MODEL:-Qwen/Qwen2.5-7B-Instruct}

if [[ ! -f $template/tensorrt_llm/config.pbtxt ]]; then
    echo "$template holds no LLM API model: point TRITON_TEMPLATES at the all_models folder of a TensorRT-LLM release from 0.17 on." >&2
    exit 2
fi
mkdir -p "$repository"
cp -R "$template/tensorrt_llm" "$repository/"

# JSON strings are YAML strings, so any path or name is safe in here.
quote() { python3 -c 'import json, sys; print(json.dumps(sys.argv[1]))' "$1"; }
{
    echo "model: $(quote "$model")"
    echo "backend: pytorch"
    [[ -z ${TRTLLM_MAX_SEQ_LEN:-} ]] || echo "max_seq_len: $TRTLLM_MAX_SEQ_LEN"
    [[ -z ${TRTLLM_MAX_BATCH_SIZE:-} ]] || echo "max_batch_size: $TRTLLM_MAX_BATCH_SIZE"
    echo "enable_chunked_prefill: true"
    echo "kv_cache_config:"
    echo "  free_gpu_memory_fraction: ${TRTLLM_KV_FRACTION:-0.9}"
    # As shipped `decoupled` is false, and then /generate_stream answers with an error. max_batch_size is Triton's own batching,
    # which this model does without: TensorRT-LLM batches in flight.
    echo "triton_config:"
    echo "  max_batch_size: 0"
    echo "  decoupled: true"
} >"$repository/tensorrt_llm/1/model.yaml"
