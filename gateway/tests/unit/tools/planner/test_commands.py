"""`hayate models` and `hayate plan` as they are typed: tables, JSON, exit status."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from hayate.tools.planner.commands import run_plan
from hayate.tools.planner.found import Machine
from hayate.tools.planner.options import PlanOptions
from tests.support.hub_stand_in import hub_stand_in
from tests.support.tables import table
from tests.support.typed import typed_in
from tests.unit.tools.fake_nvml import FakeGpu, FakeNvml
from tests.unit.tools.planner.test_config_json import QWEN

TINY = str(Path(__file__).parents[4] / "src/hayate/tools/embedded/model/tiny-qwen2.gguf")
FAMILY = "bakeneko-32b"
BAKENEKO = "rinna/qwen2.5-bakeneko-32b-instruct-awq"


def hayate(*words: str) -> Result:
    return typed_in(*words, env={"HAYATE_LANG": "en", "HAYATE_MODELS": None})


def answer(*words: str) -> Any:
    told = hayate(*words, "--json")
    assert told.exit_code in (0, 1), told.stderr
    return json.loads(told.stdout)


def test_models_lists_the_catalogue() -> None:
    told = hayate("models")
    assert told.exit_code == 0
    assert BAKENEKO in told.stdout
    assert "256 KiB" in told.stdout


def test_models_as_json_has_every_number() -> None:
    models = {model["id"]: model for model in answer("models")}
    qwen = models["Qwen/Qwen2.5-7B-Instruct"]
    assert qwen["attention"] == [{"layers": 28, "kv_heads": 4, "key_dim": 128, "value_dim": 128}]
    assert qwen["weight_bytes"] == 15231233024
    assert models["nvidia/Mistral-Nemo-12B-Instruct-ONNX-INT4"]["refusal"]["ja"]


def test_plan_without_a_model_is_the_whole_catalogue() -> None:
    told = hayate("plan", "--gpu", "24GiB")
    assert told.exit_code == 0
    rows = {
        line.split()[1]: line.split()[0] for line in told.stdout.splitlines() if line[:1] in "✔△▽✘—" and "/" in line
    }
    assert rows["Qwen/Qwen2.5-7B-Instruct"] == "✔"
    assert rows[BAKENEKO] == "△"
    assert rows["Qwen/Qwen2.5-14B-Instruct"] == "✘"
    assert rows["bartowski/Llama-3.3-70B-Instruct-GGUF"] == "▽"
    assert rows["nvidia/Mistral-Nemo-12B-Instruct-ONNX-INT4"] == "—"


def test_plan_for_one_model_says_weights_cache_sequences_and_flags() -> None:
    told = hayate("plan", "--gpu", "48", "--model", BAKENEKO)
    assert told.exit_code == 0
    for said in (
        "18.00 GiB",
        "256 KiB",
        "sequences that fit",
        "vllm serve rinna/",
        "--max-model-len 8192",
        "--dtype half",
    ):
        assert said in told.stdout


def test_plan_as_json_agrees_with_itself() -> None:
    plan = answer("plan", "--gpu", "24", "--model", "Qwen2.5-7B-Instruct", "--context", "4096", "--concurrency", "4")
    assert plan["verdict"] == "fits"
    assert plan["kv_bytes"] == 4 * plan["kv_bytes_per_typical"] == 4 * 2048 * plan["kv_bytes_per_token"]
    assert plan["kv_bytes_per_sequence"] == 2 * plan["kv_bytes_per_typical"]
    assert plan["left_bytes"] == plan["kv_pool_bytes"] - plan["kv_bytes"]
    assert plan["env"]["VLLM_MAX_NUM_SEQS"] == "4"
    assert len(answer("plan", "--gpu", "24")) == len(answer("models"))


def test_a_model_that_does_not_fit_is_status_1() -> None:
    assert hayate("plan", "--gpu", "16", "--model", "Qwen2.5-7B-Instruct").exit_code == 1
    assert hayate("plan", "--gpu", "80", "--model", "Qwen2.5-7B-Instruct", "--engine", "llamacpp").exit_code == 1


def test_a_model_that_does_not_fit_is_not_written(tmp_path: Path) -> None:
    told = hayate(
        "plan", "--gpu", "16", "--model", "Qwen2.5-7B-Instruct", "--write", "--env-file", str(tmp_path / ".env")
    )
    assert told.exit_code == 1
    assert "Nothing is written" in told.stderr
    assert not (tmp_path / ".env").exists()


def test_writing_keeps_stdout_for_the_plan(tmp_path: Path) -> None:
    words = (
        "plan",
        "--gpu",
        "24",
        "--model",
        "Qwen2.5-7B-Instruct",
        "--write",
        "--env-file",
        str(tmp_path / ".env"),
        "--json",
    )
    told = hayate(*words)
    assert json.loads(told.stdout)["verdict"] == "fits"
    assert "+VLLM_MAX_MODEL_LEN=8192" in told.stderr
    assert "VLLM_MAX_MODEL_LEN=8192\n" in (tmp_path / ".env").read_text()


def test_a_gguf_here_is_planned_for_llamacpp() -> None:
    plan = answer("plan", "--gpu", "24", "--model", TINY)
    assert (plan["engine"], plan["verdict"]) == ("llamacpp", "fits")
    assert plan["context_tokens"] == 4096


def test_engines_go_by_their_usual_names_too() -> None:
    assert answer("plan", "--gpu", "24", "--model", "Qwen2.5-7B-Instruct", "--engine", "trt")["engine"] == "trtllm"
    assert answer("plan", "--gpu", "24", "--model", TINY, "--engine", "llama.cpp")["engine"] == "llamacpp"


def test_a_cache_of_a_given_size_is_told_in_tokens() -> None:
    told = answer("plan", "--kv-memory", "1GiB", "--model", TINY, "--dtype", "float32", "--context", "4096")
    assert told["kv_tokens"] == 1_048_576
    assert told["concurrency"] == 256
    assert "1,048,576" in hayate("plan", "--kv-memory", "1GiB", "--model", TINY, "--dtype", "float32").stdout


def test_the_documentations_table_can_be_printed() -> None:
    assert hayate("plan", "--table-markdown").stdout.startswith("<!-- begin")


@table(
    ("words", "said"),
    [
        (("--gpu", "abacus"), "rtx4090"),
        (("--gpu", "24", "--engine", "steam"), "vllm, sglang, trtllm"),
        (("--gpu", "24", "--model", "unheard-of"), "hayate models"),
        (("--gpu", "24", "--context", "0"), "--context 0"),
        (("--gpu", "24", "--concurrency", "0"), "--concurrency 0"),
        (("--gpu", "24", "--gpus", "0"), "--gpus 0"),
        (("--gpu", "24", "--utilization", "1.5"), "--utilization 1.5"),
        (("--gpu", "24", "--utilization", "nan"), "--utilization nan"),
        (("--gpu", "24", "--dtype", "int3"), "--dtype int3"),
        (("--gpu", "24", "--kv-cache-dtype", "int3"), "--kv-cache-dtype int3"),
        (("--gpu", "24", "--write"), "--write needs --model or --models"),
        (("--gpu", "24", "--typical", "0"), "--typical 0"),
        (("--gpu", "24", "--models", "qwen2.5-7b"), "two to 4 different models"),
        (("--gpu", "24", "--models", "qwen2.5-7b,QWEN2.5-7B"), "two to 4 different models"),
        (("--gpu", "24", "--models", "qwen2.5-7b,unheard-of"), "hayate models"),
        (("--gpu", "24", "--models", f"qwen2.5-7b,{FAMILY}", "--model", BAKENEKO), "without --model and --gpus"),
        (("--gpu", "24", "--models", f"qwen2.5-7b,{FAMILY}", "--gpus", "2"), "without --model and --gpus"),
        (("--gpu", "24", "--models", f"qwen2.5-7b,{FAMILY}", "--engine", "sglang"), "one of vllm, ollama, llamacpp"),
        (("--gpu", "24", "--models", f"qwen2.5-7b,{FAMILY}", "--host-memory", "much"), "--host-memory much"),
        (("--kv-memory", "much", "--model", "Qwen2.5-7B-Instruct"), "--kv-memory much"),
        (("--gpu", "24", "--catalogue", "/nowhere.yaml"), "/nowhere.yaml"),
    ],
)
def test_a_mistake_is_named_with_status_2(words: tuple[str, ...], said: str) -> None:
    told = hayate("plan", *words)
    assert told.exit_code == 2
    assert said in told.stderr
    assert told.stdout == ""


def test_a_model_of_the_hub_is_planned_from_its_config(tmp_path: Path) -> None:
    # A process of its own: the Hub's library reads some of its environment when it is imported.
    program = [sys.executable, "-c", "from hayate.cli import main; main()"]
    words = ["plan", "--gpu", "24", "--model", "own/model", "--json"]
    with hub_stand_in(
        {"own/model": {"config.json": json.dumps(QWEN).encode(), "model.safetensors": bytes(10**6)}}
    ) as hub:
        env = {
            **os.environ,
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path),
            "HF_HUB_OFFLINE": "0",
            "HAYATE_LANG": "en",
        }
        told = subprocess.run([*program, *words], env=env, capture_output=True, text=True, check=False)
        assert (told.returncode, told.stderr) == (0, "")
        assert json.loads(told.stdout)["weight_bytes"] == 10**6
        env |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "other")}
        told = subprocess.run([*program, *words], env=env, capture_output=True, text=True, check=False)
        assert (told.returncode, told.stdout) == (2, "")
        assert "HF_HUB_OFFLINE" in told.stderr


def test_mistakes_are_named_in_japanese_too(capsys: pytest.CaptureFixture[str]) -> None:
    for options in (
        PlanOptions(gpu="24", models="one"),
        PlanOptions(gpu="24", models="a,b", engine="sglang"),
        PlanOptions(gpu="24", models="a,b", host_memory="much"),
        PlanOptions(gpu="abacus"),
        PlanOptions(gpu="24", engine="steam"),
        PlanOptions(gpu="24", context=0),
    ):
        assert run_plan(options, "ja", {}) == 2
        assert re.search("してください|使えるエンジン", capsys.readouterr().err)


def test_without_a_gpu_named_this_machines_is_planned_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    here = Machine(tmp_path, FakeNvml(FakeGpu(used=2500, display=1), driver="570.10"))
    assert run_plan(PlanOptions(model="Qwen2.5-7B-Instruct", as_json=True), "en", {}, here) == 0
    told = capsys.readouterr()
    assert told.err == "Found: NVIDIA GeForce RTX 4090, 23.5 GiB, driver 570.10; 2.4 GiB of it left for the desktop\n"
    plan = json.loads(told.out)
    assert (plan["gpu"]["name"], plan["utilization"]) == ("rtx 4090", 0.87)
    assert [remark["code"] for remark in plan["remarks"]] == ["old-driver"]


def test_without_a_gpu_at_all_it_is_said_what_to_give(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    nobody = Machine(tmp_path, FakeNvml(trouble="NVML Shared Library Not Found"))
    assert run_plan(PlanOptions(), "en", {}, nobody) == 2
    assert "name the GPU with --gpu 24GiB" in capsys.readouterr().err
    assert run_plan(PlanOptions(model="Qwen2.5-7B-Instruct", kv_memory="1GiB"), "en", {}, nobody) == 0


def test_several_models_are_planned_and_written_together(tmp_path: Path) -> None:
    words = ["plan", "--gpu", "24", "--models", f"qwen2.5-7b,{FAMILY}", "--host-memory", "64GiB"]
    values = answer(*words)
    assert (values["works"], values["host_memory_bytes"]) == (True, 64 * 2**30)
    told = hayate(*words, "--write", "--env-file", str(tmp_path / ".env"))
    assert told.exit_code == 0
    assert len([*tmp_path.iterdir()]) == 3
    small = hayate(*words[:2], "16", *words[3:], "--write", "--env-file", str(tmp_path / "other/.env"))
    assert (small.exit_code, small.stderr) == (1, "Nothing is written: it would not run.\n")
    assert "bakeneko-32b: missing" in small.stdout


def test_an_env_file_that_can_not_be_read_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff\n")
    told = hayate(
        "plan", "--gpu", "24", "--model", "Qwen2.5-7B-Instruct", "--write", "--env-file", str(tmp_path / ".env")
    )
    assert told.exit_code == 2
    assert (tmp_path / ".env").read_bytes() == b"A=\xff\n"
