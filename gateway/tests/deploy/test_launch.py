"""The launch scripts are run, with stand-ins for the engines on the PATH that write down how they were called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from hayate.policy.ceiling import MOST
from tests.deploy.stand_ins import LLM, REPOSITORY, Bench
from tests.support.ports import free_port
from tests.support.tables import table

LOADS_THEN_SLEEPS = """
import http.server, time
asked, asleep = open({asked!r}, "a", buffering=1), os.environ["VLLM_ASLEEP_FILE"]
ends_at = time.monotonic() + 60
class Engine(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        asked.write("GET " + self.path + "\\n")
        self.send_response(200 if Engine.looked else 503)
        Engine.looked = True
        self.end_headers()
    def do_POST(self):
        asked.write("POST " + self.path + "\\nthere: " + str(os.path.exists(asleep)) + "\\n")
        self.send_response(200)
        self.end_headers()
    looked = False
server = http.server.HTTPServer(("127.0.0.1", int(os.environ["VLLM_PORT"])), Engine)
server.timeout = 0.1
while not os.path.exists(asleep) and time.monotonic() < ends_at:
    server.handle_request()
"""
SCRIPTS = sorted(LLM.glob("*/*.sh"))


@pytest.mark.parametrize("script", SCRIPTS, ids=[str(path.relative_to(LLM)) for path in SCRIPTS])
def test_every_script_is_clean_to_shellcheck_and_executable(script: Path) -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    if not shellcheck.exists():
        pytest.skip("shellcheck is not in this environment: make test installs it")
    for command in ([str(shellcheck), str(script)], ["bash", "-n", str(script)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    text = script.read_text(encoding="utf-8")
    assert text.startswith("#!/usr/bin/env bash\n# ")
    assert "\nset -euo pipefail\n" in text
    assert os.access(script, os.X_OK)


@table("engine", sorted(path.parent.name for path in LLM.glob("*/serve.sh")))
def test_every_engine_tells_how_it_is_started_and_lists_its_settings(engine: str) -> None:
    readme = (LLM / engine / "README.md").read_text(encoding="utf-8")
    script = "".join(path.read_text(encoding="utf-8") for path in (LLM / engine).glob("*.sh"))
    compose = yaml.safe_load((REPOSITORY / "compose.yml").read_text(encoding="utf-8"))["services"][engine]
    settings = {name for name in compose["environment"] if name in script and not name.startswith("HF_")}
    assert {name for name in settings if f"`{name}`" not in readme} == set()
    assert "日本語" in readme
    assert "ffline" in readme
    assert compose["image"] in readme


class TestVLLM:
    """llm/vllm/serve.sh"""

    def test_without_settings_it_serves_the_default_model_on_loopback(self, bench: Bench) -> None:
        bench.stand_in("vllm")
        bench.run("vllm/serve.sh")
        call = bench.call()
        assert call.argv[:3] == ["vllm", "serve", "Qwen/Qwen2.5-7B-Instruct"]
        assert (call.value("--host"), call.value("--port")) == ("127.0.0.1", "8000")
        assert call.value("--max-model-len") == "auto"
        assert call.value("--gpu-memory-utilization") == "0.90"
        assert call.value("--shutdown-timeout") == "60"
        assert int(call.value("--max-num-queued-reqs")) > MOST
        assert "--enable-request-id-headers" in call
        assert "--max-num-seqs" not in call
        assert "--quantization" not in call
        assert "VLLM_API_KEY" not in call.env
        assert call.env["VLLM_NO_USAGE_STATS"] == "1"

    def test_sleep_mode_is_off_unless_asked_for(self, bench: Bench) -> None:
        bench.stand_in("vllm")
        bench.run("vllm/serve.sh", VLLM_START_ASLEEP="1")
        call = bench.call()
        assert "--enable-sleep-mode" not in call
        assert "VLLM_SERVER_DEV_MODE" not in call.env

    def test_one_that_is_to_start_asleep_is_put_to_sleep_once_it_is_loaded(self, bench: Bench) -> None:
        bench.stand_in("vllm", LOADS_THEN_SLEEPS.format(asked=str(bench.folder / "asked")))
        asleep, port = bench.folder / "asleep", str(free_port())
        asleep.touch()  # of a start before
        bench.run(
            "vllm/serve.sh",
            VLLM_PORT=port,
            VLLM_ENABLE_SLEEP_MODE="1",
            VLLM_START_ASLEEP="2",
            VLLM_ASLEEP_FILE=str(asleep),
            http_proxy="http://192.0.2.1:1",
        )
        assert "--enable-sleep-mode" in bench.call()
        assert bench.call().env["VLLM_SERVER_DEV_MODE"] == "1"
        asked = (bench.folder / "asked").read_text(encoding="utf-8").split("\n")
        assert asked[:4] == ["GET /health", "GET /health", "POST /sleep?level=2&mode=wait", "there: False"]
        assert asleep.exists()

    def test_settings_become_flags_and_the_key_does_not(self, bench: Bench) -> None:
        bench.stand_in("vllm")
        bench.run(
            "vllm/serve.sh",
            "--enforce-eager",
            MODEL="/models/with a space",
            VLLM_HOST="0.0.0.0",
            VLLM_PORT="8123",
            VLLM_MAX_MODEL_LEN="8192",
            VLLM_GPU_MEMORY_UTILIZATION="0.42",
            VLLM_MAX_NUM_SEQS="16",
            VLLM_DTYPE="float16",
            VLLM_KV_CACHE_DTYPE="fp8",
            VLLM_EXTRA_ARGS="""--tensor-parallel-size 2 --override-generation-config '{"temperature": 0.7}' --x '$(touch owned)'""",
            VLLM_API_KEY="sk-secret",
        )
        call = bench.call()
        assert call.argv[2] == "/models/with a space"
        assert call.value("--host") == "0.0.0.0"
        assert call.value("--port") == "8123"
        assert call.value("--max-model-len") == "8192"
        assert call.value("--gpu-memory-utilization") == "0.42"
        assert call.value("--max-num-seqs") == "16"
        assert call.value("--dtype") == "float16"
        assert call.value("--kv-cache-dtype") == "fp8"
        assert call.value("--tensor-parallel-size") == "2"
        assert call.value("--override-generation-config") == '{"temperature": 0.7}'
        assert call.value("--x") == "$(touch owned)"
        assert not (bench.folder / "owned").exists()
        assert call.argv[-1] == "--enforce-eager"
        assert "sk-secret" not in " ".join(call.argv)
        assert call.env["VLLM_API_KEY"] == "sk-secret"


class TestTensorRTLLM:
    """llm/trtllm/serve.sh"""

    def test_settings_become_flags_beside_the_settings_file(self, bench: Bench) -> None:
        bench.stand_in("trtllm-serve")
        bench.run(
            "trtllm/serve.sh",
            MODEL="Qwen/Qwen2.5-14B-Instruct",
            TRTLLM_MAX_SEQ_LEN="8192",
            TRTLLM_MAX_BATCH_SIZE="64",
            TRTLLM_KV_FRACTION="0.8",
            TRTLLM_TOOL_PARSER="qwen3",
            TRTLLM_EXTRA_ARGS="--tp_size 2",
        )
        call = bench.call()
        assert call.argv[:2] == ["trtllm-serve", "Qwen/Qwen2.5-14B-Instruct"]
        assert (call.value("--host"), call.value("--port")) == ("127.0.0.1", "8000")
        assert call.value("--max_seq_len") == "8192"
        assert call.value("--max_batch_size") == "64"
        assert call.value("--kv_cache_free_gpu_memory_fraction") == "0.8"
        assert call.value("--tool_parser") == "qwen3"
        assert call.value("--tp_size") == "2"
        assert Path(call.value("--config")) == LLM / "trtllm/serve.yml"

    def test_without_settings_it_leaves_sizes_to_the_model(self, bench: Bench) -> None:
        bench.stand_in("trtllm-serve")
        bench.run("trtllm/serve.sh")
        assert not {"--max_seq_len", "--max_batch_size"} & {*bench.call().argv}

    def test_the_settings_file_has_no_section_that_would_swallow_a_flag(self) -> None:
        settings = yaml.safe_load((LLM / "trtllm/serve.yml").read_text(encoding="utf-8"))
        assert settings["guided_decoding_backend"] == "xgrammar"
        assert not {"kv_cache_config", "max_seq_len", "max_batch_size"} & set(settings)

    @pytest.mark.parametrize("model", ["/models/llama.gguf", "Qwen/Qwen2.5-7B-Instruct-GGUF:Q4_K_M"])
    def test_a_gguf_is_refused_with_the_engine_to_use(self, bench: Bench, model: str) -> None:
        bench.stand_in("trtllm-serve")
        assert "llamacpp" in bench.run("trtllm/serve.sh", MODEL=model, expect=2)
        assert not bench.calls()


class TestLlamaCpp:
    """llm/llamacpp/serve.sh"""

    def test_a_hub_reference_is_fetched_by_the_server(self, bench: Bench) -> None:
        bench.stand_in("llama-server")
        bench.run("llamacpp/serve.sh", MODEL="bartowski/Llama-3.3-70B-Instruct-GGUF:Q4_K_M", LLAMA_ARG_HOST="0.0.0.0")
        call = bench.call()
        assert call.value("--hf-repo") == "bartowski/Llama-3.3-70B-Instruct-GGUF:Q4_K_M"
        assert (call.value("--host"), call.value("--port")) == ("127.0.0.1", "8081")
        assert (call.value("--ctx-size"), call.value("--parallel")) == ("16384", "4")
        assert call.value("--n-gpu-layers") == "auto"
        assert {"--jinja", "--metrics"} <= {*call.argv}
        assert "--model" not in call
        assert "--offline" not in call
        assert "LLAMA_ARG_HOST" not in call.env

    def test_a_file_is_served_as_it_is(self, bench: Bench) -> None:
        bench.stand_in("llama-server")
        model = bench.folder / "a model.gguf"
        model.touch()
        bench.run(
            "llamacpp/serve.sh",
            MODEL=str(model),
            LLAMACPP_CTX_SIZE="8192",
            LLAMACPP_PARALLEL="2",
            LLAMACPP_N_GPU_LAYERS="0",
            HF_HUB_OFFLINE="1",
            LLAMACPP_EXTRA_ARGS="--cache-type-k q8_0",
        )
        call = bench.call()
        assert call.value("--model") == str(model)
        assert (call.value("--ctx-size"), call.value("--parallel")) == ("8192", "2")
        assert call.value("--n-gpu-layers") == "0"
        assert call.value("--cache-type-k") == "q8_0"
        assert "--offline" in call
        assert "--hf-repo" not in call

    def test_a_file_that_is_not_there_is_named(self, bench: Bench) -> None:
        bench.stand_in("llama-server")
        assert "/models/none.gguf" in bench.run("llamacpp/serve.sh", MODEL="/models/none.gguf", expect=2)
        assert not bench.calls()


class TestSGLang:
    """llm/sglang/serve.sh"""

    def test_settings_become_flags(self, bench: Bench) -> None:
        bench.stand_in("python3")
        bench.run(
            "sglang/serve.sh",
            SGLANG_CONTEXT_LENGTH="8192",
            SGLANG_MEM_FRACTION="0.7",
            SGLANG_MAX_RUNNING="32",
            SGLANG_EXTRA_ARGS="--tp 2",
        )
        call = bench.call()
        assert call.argv[:3] == ["python3", "-m", "sglang.launch_server"]
        assert call.value("--model-path") == "Qwen/Qwen2.5-7B-Instruct"
        assert (call.value("--host"), call.value("--port")) == ("127.0.0.1", "30000")
        assert call.value("--context-length") == "8192"
        assert call.value("--mem-fraction-static") == "0.7"
        assert call.value("--max-running-requests") == "32"
        assert call.value("--tool-call-parser") == "qwen25"
        assert call.value("--tp") == "2"
        assert "--enable-metrics" in call
