"""llm/triton: both ways to serve, and the engine build, run with stand-ins on the PATH."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

from tests.deploy.stand_ins import Bench


def newer_templates(bench: Bench) -> Path:
    """The image's template of the LLM API model."""
    model = bench.folder / "all_models/llmapi/tensorrt_llm"
    (model / "1").mkdir(parents=True)
    (model / "config.pbtxt").write_text('name: "tensorrt_llm"\n')
    (model / "1/model.py").write_text("# theirs\n")
    (model / "1/model.yaml").write_text("model: theirs\n")
    return bench.folder / "all_models"


def classic_templates(bench: Bench) -> Path:
    """The image's template of the ensemble, with the variables that matter here."""
    root = bench.folder / "all_models/inflight_batcher_llm"
    for name, text in {
        "preprocessing": "max_batch_size: ${triton_max_batch_size}\ntokenizer_dir ${tokenizer_dir} ${add_special_tokens}\n",
        "tensorrt_llm": 'backend: "${triton_backend}"\ndecoupled: ${decoupled_mode}\n'
        '"${engine_dir}" "${kv_cache_free_gpu_mem_fraction}"\n'
        '"${batching_strategy}" ${max_queue_size} "${encoder_engine_dir}"\n',
        "postprocessing": "tokenizer_dir ${tokenizer_dir} count: ${postprocessing_instance_count}\n",
        "ensemble": "max_batch_size: ${triton_max_batch_size} ${logits_datatype}\n",
        "tensorrt_llm_bls": "${bls_instance_count} ${accumulate_tokens} ${tensorrt_llm_model_name}\n",
    }.items():
        (root / name).mkdir(parents=True)
        (root / name / "config.pbtxt").write_text(text)
    return bench.folder / "all_models"


def built_engine(bench: Bench) -> Path:
    folder = bench.folder / "engines/a & b|c"
    (folder / "tokenizer").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer/tokenizer_config.json").write_text("{}")
    return folder


def test_the_newer_way_serves_weights_and_streams(bench: Bench) -> None:
    bench.stand_in("tritonserver")
    repository = bench.folder / "repository"
    bench.run(
        "triton/serve.sh",
        MODEL='/models/Qwen "2.5": 7B',
        TRITON_TEMPLATES=str(newer_templates(bench)),
        TRITON_REPOSITORY=str(repository),
        TRITON_HOST="0.0.0.0",
        TRTLLM_MAX_SEQ_LEN="8192",
        TRTLLM_MAX_BATCH_SIZE="32",
        TRTLLM_KV_FRACTION="0.7",
        TRITON_EXTRA_ARGS="--log-verbose=1",
    )
    call = bench.call()
    assert call.argv[:2] == ["tritonserver", f"--model-repository={repository}"]
    assert {"--http-address=0.0.0.0", "--http-port=8000", "--allow-grpc=false", "--log-verbose=1"} <= {*call.argv}
    model = yaml.safe_load((repository / "tensorrt_llm/1/model.yaml").read_text())
    assert model == {
        "model": '/models/Qwen "2.5": 7B',
        "backend": "pytorch",
        "max_seq_len": 8192,
        "max_batch_size": 32,
        "enable_chunked_prefill": True,
        "kv_cache_config": {"free_gpu_memory_fraction": 0.7},
        "triton_config": {"max_batch_size": 0, "decoupled": True},
    }
    assert (repository / "tensorrt_llm/1/model.py").exists()


def test_the_classic_way_fills_the_ensemble(bench: Bench) -> None:
    bench.stand_in("tritonserver")
    repository, engine = bench.folder / "repository", built_engine(bench)
    bench.run(
        "triton/serve.sh",
        TRITON_ENGINE_DIR=str(engine),
        TRITON_TEMPLATES=str(classic_templates(bench)),
        TRITON_REPOSITORY=str(repository),
        TRTLLM_MAX_BATCH_SIZE="8",
    )
    assert sorted(path.name for path in repository.iterdir()) == [
        "ensemble",
        "postprocessing",
        "preprocessing",
        "tensorrt_llm",
        "tensorrt_llm_bls",
    ]
    config = {path.parent.name: path.read_text() for path in repository.glob("*/config.pbtxt")}
    assert config["preprocessing"] == f"max_batch_size: 8\ntokenizer_dir {engine}/tokenizer false\n"
    assert f'decoupled: true\n"{engine}" "0.9"\n"inflight_fused_batching" 0 ' in config["tensorrt_llm"]
    assert config["tensorrt_llm"].startswith('backend: "tensorrtllm"\n')
    assert "${encoder_engine_dir}" in config["tensorrt_llm"]  # the backend takes an unfilled one as unset
    assert config["ensemble"] == "max_batch_size: 8 TYPE_FP32\n"
    assert config["tensorrt_llm_bls"] == "8 true tensorrt_llm\n"
    assert (repository / "ensemble/1").is_dir()


def test_an_image_without_the_template_is_told_apart(bench: Bench) -> None:
    bench.stand_in("tritonserver")
    empty = str(bench.folder / "nothing")
    assert "LLM API" in bench.run("triton/serve.sh", TRITON_TEMPLATES=empty, expect=2)
    message = bench.run("triton/serve.sh", TRITON_TEMPLATES=empty, TRITON_ENGINE_DIR="/x", expect=2)
    assert "engine path" in message
    assert not bench.calls()


def test_a_folder_that_holds_no_engine_is_named(bench: Bench) -> None:
    bench.stand_in("tritonserver")
    message = bench.run(
        "triton/serve.sh", TRITON_TEMPLATES=str(classic_templates(bench)), TRITON_ENGINE_DIR="/nowhere", expect=2
    )
    assert "/nowhere/config.json" in message


def python_with_tensorrt_llm(bench: Bench, version: str) -> None:
    """A python3 with TensorRT-LLM of this version, that runs everything but conversions."""
    site = bench.folder / "site"
    info = site / f"tensorrt_llm-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tensorrt_llm\nVersion: {version}\n")
    more = f"""
if sys.argv[1] == "-c":
    os.environ["PYTHONPATH"] = {str(site)!r}
    os.execv({sys.executable!r}, [{sys.executable!r}, *sys.argv[1:]])
"""
    bench.stand_in("python3", more)


def weights(bench: Bench, kind: str = "qwen2") -> Path:
    folder = bench.folder / "weights"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "model.safetensors"):
        (folder / name).write_text("{}")
    return folder


def build_engine(bench: Bench, *arguments: str, expect: int = 0, **env: str) -> str:
    examples = bench.folder / "examples/models/core/qwen"
    examples.mkdir(parents=True, exist_ok=True)
    (examples / "convert_checkpoint.py").write_text("")
    engine = str(bench.folder / "engine")
    settings = {"TRTLLM_EXAMPLES": str(bench.folder / "examples"), "TRITON_ENGINE_DIR": engine, **env}
    return bench.run("triton/build-engine.sh", *arguments, expect=expect, **settings)


@pytest.mark.parametrize("version", ["0.20.0", "1.1.0", "1.2.1"])
def test_an_engine_is_converted_built_and_given_its_tokenizer(bench: Bench, version: str) -> None:
    python_with_tensorrt_llm(bench, version)
    bench.stand_in("trtllm-build")
    build_engine(bench, "--workers", "2", MODEL=str(weights(bench)), TRTLLM_MAX_SEQ_LEN="4096", TRTLLM_QUANTIZE="int4")
    convert, build = [call for call in bench.calls() if call.argv[1] != "-c"]
    assert convert.argv[1] == str(bench.folder / "examples/models/core/qwen/convert_checkpoint.py")
    assert convert.value("--model_dir") == str(bench.folder / "weights")
    assert convert.value("--dtype") == "float16"
    assert convert.value("--weight_only_precision") == "int4"
    assert build.argv[0] == "trtllm-build"
    assert build.value("--checkpoint_dir") == convert.value("--output_dir")
    assert build.value("--output_dir") == str(bench.folder / "engine")
    assert build.value("--max_seq_len") == "4096"
    assert build.argv[-2:] == ["--workers", "2"]
    assert sorted(path.name for path in (bench.folder / "engine/tokenizer").iterdir()) == [
        "chat_template.jinja",
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert not Path(convert.value("--output_dir")).exists()


@pytest.mark.parametrize("version", ["1.3.0rc25", "1.10.0", "2.0.0"])
def test_a_release_without_the_engine_path_is_refused(bench: Bench, version: str) -> None:
    python_with_tensorrt_llm(bench, version)
    bench.stand_in("trtllm-build")
    message = build_engine(bench, MODEL=str(weights(bench)), expect=2)
    assert version in message
    assert "25.12" in message
    assert not [call for call in bench.calls() if call.argv[1] != "-c"]


def test_a_model_it_cannot_convert_is_refused_before_anything_runs(bench: Bench) -> None:
    python_with_tensorrt_llm(bench, "1.2.1")
    bench.stand_in("trtllm-build")
    assert "mamba" in build_engine(bench, MODEL=str(weights(bench, "mamba")), expect=2)
    assert not [call for call in bench.calls() if call.argv[1] != "-c"]


def test_without_tensorrt_llm_it_says_where_to_run(bench: Bench) -> None:
    assert "trtllm-python-py3" in build_engine(bench, MODEL="/models/x", expect=2)
