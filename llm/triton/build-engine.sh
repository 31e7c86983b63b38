#!/usr/bin/env bash
# Converts Hugging Face weights and builds a TensorRT engine, for the TensorRT-LLM releases that still can (before 1.3).
# Runs in a tritonserver:YY.MM-trtllm-python-py3 image up to 25.12, on the very kind of GPU that will serve the engine.
# usage: MODEL=/models/Qwen2.5-7B-Instruct TRITON_ENGINE_DIR=/models/engines/qwen2.5-7b build-engine.sh [trtllm-build flags]
#   also reads TRTLLM_MAX_SEQ_LEN (8192), TRTLLM_MAX_BATCH_SIZE (16), TRTLLM_DTYPE (float16), TRTLLM_QUANTIZE (none or int4: weights
#   only), TRTLLM_EXAMPLES (where the release's example scripts lie)
set -euo pipefail

model=${MODEL:?a folder with Hugging Face weights, or a Hub id}
engine=${TRITON_ENGINE_DIR:?the folder that the engine goes to}

version=$(python3 -c 'import importlib.metadata as m; print(m.version("tensorrt_llm"))' 2>/dev/null || true)
if [[ -z $version ]]; then
    echo "TensorRT-LLM is not installed here: run this in a tritonserver:YY.MM-trtllm-python-py3 image." >&2
    exit 2
fi
IFS=. read -r major minor _ <<<"$version"
if ((major > 1 || (major == 1 && ${minor%%[!0-9]*} >= 3))); then
    echo "TensorRT-LLM $version has no engine path any more: it serves the weights themselves (../trtllm/serve.sh)." >&2
    echo "For an engine, take an image with TensorRT-LLM 1.2 or older, such as tritonserver:25.12-trtllm-python-py3." >&2
    exit 2
fi

if [[ ! -d $model ]]; then
    echo "Fetching $model ..." >&2
    model=$(python3 -c 'import sys; from huggingface_hub import snapshot_download; print(snapshot_download(sys.argv[1]))' "$model")
fi

kind=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1] + "/config.json"))["model_type"])' "$model")
case $kind in
    qwen | qwen2 | qwen2_moe | qwen3) family=qwen ;;
    llama | mistral | mixtral) family=llama ;;
    gemma | gemma2 | gemma3_text) family=gemma ;;
    phi3) family=phi ;;
    *)
        echo "$model is a $kind: no conversion is known to this script. See the release's examples/models." >&2
        exit 2
        ;;
esac

# The scripts have moved with the releases: /app/examples/models/core in 2025's images, /app/examples before.
convert=
for folder in ${TRTLLM_EXAMPLES:+"$TRTLLM_EXAMPLES"} /app/examples /app/tensorrt_llm/examples; do
    for candidate in "$folder/models/core/$family/convert_checkpoint.py" "$folder/$family/convert_checkpoint.py"; do
        [[ -n $convert || ! -f $candidate ]] || convert=$candidate
    done
done
if [[ -z $convert ]]; then
    echo "TensorRT-LLM $version is here, its convert_checkpoint.py for $family is not: set TRTLLM_EXAMPLES to the release's examples." >&2
    exit 2
fi

quantize=()
case ${TRTLLM_QUANTIZE:-none} in
    none) ;;
    int4) quantize=(--use_weight_only --weight_only_precision int4) ;;
    *)
        echo "TRTLLM_QUANTIZE=$TRTLLM_QUANTIZE: none or int4. AWQ and FP8 start from a ModelOpt checkpoint instead (README.md)." >&2
        exit 2
        ;;
esac

checkpoint=$(mktemp -d)
trap 'rm -rf "$checkpoint"' EXIT
length=${TRTLLM_MAX_SEQ_LEN:-8192}

python3 "$convert" --model_dir "$model" --output_dir "$checkpoint" --dtype "${TRTLLM_DTYPE:-float16}" "${quantize[@]}"
mkdir -p "$engine"
trtllm-build --checkpoint_dir "$checkpoint" --output_dir "$engine" \
    --max_batch_size "${TRTLLM_MAX_BATCH_SIZE:-16}" --max_input_len "$length" --max_seq_len "$length" \
    --gemm_plugin auto --use_paged_context_fmha enable "$@"

# The engine knows no text. Its tokenizer stays with it, and the gateway reads the chat template from there (HAYATE_TOKENIZER).
mkdir -p "$engine/tokenizer"
find "$model/" -maxdepth 1 \( -name 'tokenizer*' -o -name 'vocab*' -o -name 'merges.txt' -o -name '*.jinja' -o -name 'special_tokens_map.json' \
    -o -name 'config.json' -o -name 'generation_config.json' \) -exec cp -L {} "$engine/tokenizer/" \;
echo "Engine of TensorRT-LLM $version in $engine. Serve it with TRITON_ENGINE_DIR=$engine llm/triton/serve.sh" >&2
