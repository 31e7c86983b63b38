#!/usr/bin/env bash
# Makes the model repository of the classic way: preprocessing, tensorrt_llm, postprocessing, the ensemble around them, and
# tensorrt_llm_bls, which does the ensemble's work without breaking characters.
# usage: classic-repository.sh TEMPLATE REPOSITORY
#   reads TRITON_ENGINE_DIR, TRITON_TOKENIZER_DIR (default: the engine's `tokenizer` folder, which build-engine.sh makes),
#   TRTLLM_MAX_BATCH_SIZE, TRTLLM_KV_FRACTION
# The releases differ in which variables their templates have, so each one that is there is filled, and none is required.
set -euo pipefail

template=$1 repository=$2
engine=${TRITON_ENGINE_DIR:?the folder of an engine made by build-engine.sh}
tokenizer=${TRITON_TOKENIZER_DIR:-$engine/tokenizer}
batch=${TRTLLM_MAX_BATCH_SIZE:-16}

if [[ ! -f $template/ensemble/config.pbtxt ]]; then
    echo "$template holds no ensemble: this image's TensorRT-LLM has lost the engine path. README.md names the images that have it." >&2
    exit 2
fi
for needed in "$engine/config.json" "$tokenizer/tokenizer_config.json"; do
    if [[ ! -f $needed ]]; then
        echo "$needed is missing: run build-engine.sh, or correct TRITON_ENGINE_DIR and TRITON_TOKENIZER_DIR." >&2
        exit 2
    fi
done

mkdir -p "$repository"
models=(preprocessing tensorrt_llm postprocessing ensemble)
# The ensemble makes text of one token at a time, and a Japanese character is often two or three. The gateway prefers this one.
[[ ! -d $template/tensorrt_llm_bls ]] || models+=(tensorrt_llm_bls)
for model in "${models[@]}"; do
    cp -R "$template/$model" "$repository/"
    mkdir -p "$repository/$model/1" # the ensemble has no files of its own, and Triton wants a version folder
done

fill() { # NAME VALUE: wherever ${NAME} stands in a config
    local value=${2//\\/\\\\}
    value=${value//&/\\&}
    sed -i "s|\${$1}|${value//|/\\|}|g" "$repository"/*/config.pbtxt
}
fill triton_backend tensorrtllm
fill triton_max_batch_size "$batch"
fill decoupled_mode true # streaming
fill batching_strategy inflight_fused_batching
fill max_queue_delay_microseconds 0
fill max_queue_size 0
fill max_beam_width 1
fill engine_dir "$engine"
fill tokenizer_dir "$tokenizer"
# The gateway renders the chat template, which already begins with the model's special tokens.
fill add_special_tokens false
fill skip_special_tokens true
fill exclude_input_in_output true
fill kv_cache_free_gpu_mem_fraction "${TRTLLM_KV_FRACTION:-0.9}"
fill enable_kv_cache_reuse true
fill accumulate_tokens true
fill bls_instance_count "${TRITON_BLS_INSTANCES:-$batch}" # each serves one request at a time, and is a process
fill tensorrt_llm_model_name tensorrt_llm
fill preprocessing_instance_count 1
fill postprocessing_instance_count 1
fill logits_datatype TYPE_FP32
fill encoder_input_features_data_type TYPE_FP16
fill prompt_embedding_table_data_type TYPE_FP16
