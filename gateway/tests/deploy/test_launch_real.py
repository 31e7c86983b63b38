"""The launch scripts with the real engines that run on a CPU: every flag they give is one the engine takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.deploy.stand_ins import LLM
from tests.engines.known import HELLO
from tests.engines.launch import ENGINES, TINY_HF, EngineProcess
from tests.engines.shared import installed
from tests.support.gateway import running_gateway
from tests.support.http import fetch, fetch_frames
from tests.support.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

LLMAPI_CONFIG = """
name: "tensorrt_llm"
backend: "python"
instance_group [ { count: 1 kind: KIND_CPU } ]
input [
  { name: "text_input" data_type: TYPE_STRING dims: [ -1 ] },
  { name: "streaming" data_type: TYPE_BOOL dims: [ 1 ] optional: true }
]
output [ { name: "text_output" data_type: TYPE_STRING dims: [ -1 ] } ]
"""
# As NVIDIA's model does, it tells Triton only at the start whether it streams, from the model.yaml beside it.
LLMAPI_MODEL = """
import os
import numpy as np
import triton_python_backend_utils as pb

class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        with open(os.path.join(pb.get_model_dir(), "model.yaml")) as file:
            decoupled = "decoupled: true" in file.read()
        config.set_model_transaction_policy({"decoupled": decoupled})
        config.set_max_batch_size(0)
        return config

    def execute(self, requests):
        for request in requests:
            sender = request.get_response_sender()
            for piece in ("one", "two", "three"):
                sender.send(pb.InferenceResponse([pb.Tensor("text_output", np.array([piece], dtype=np.object_))]))
            sender.send(flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
"""


@contextmanager
def launched(
    script: str, backend: str, port: int, folder: Path, env: Mapping[str, str], wait_s: float
) -> Iterator[EngineProcess]:
    """llm/<script> as a person runs it, until its engine answers."""
    log = folder / "engine.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", LLM / script],
            env={**os.environ, **env},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    engine = EngineProcess(backend, port, process, log)
    try:
        engine.wait_healthy(wait_s)
        yield engine
    finally:
        engine.end()


@pytest.mark.vllm
async def test_vllm_takes_every_flag_and_answers_through_the_gateway(tmp_path: Path) -> None:
    installed("vllm")
    port = free_port()
    env = {
        "PATH": f"{ENGINES / 'vllm/bin'}:{os.environ['PATH']}",
        "MODEL": str(TINY_HF),
        "VLLM_PORT": str(port),
        "VLLM_API_KEY": "sk-engine",
        "VLLM_DTYPE": "float32",
        "VLLM_MAX_NUM_SEQS": "4",
        "VLLM_TOOL_PARSER": "hermes",
        "VLLM_GPU_MEMORY_UTILIZATION": "0.1",
        "VLLM_EXTRA_ARGS": "--enforce-eager --override-generation-config '{\"temperature\": 0}'",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    with launched("vllm/serve.sh", "vllm", port, tmp_path, env, 180) as engine:
        assert (await fetch(engine.url, "/v1/models")).status == 401
        settings = {
            "LLM_BACKEND": "vllm",
            "BACKEND_URL": engine.url,
            "BACKEND_API_KEY": "sk-engine",
            "MODEL": env["MODEL"],
        }
        async with running_gateway(settings) as gateway:
            await gateway.ready()
            body = {"messages": [{"role": "user", "content": "Hello"}]}
            reply = await fetch(gateway.url, "/v1/chat/completions", body, key=gateway.key)
        assert reply.json["choices"][0]["message"]["content"] == HELLO
        os.kill(engine.process.pid, signal.SIGTERM)
        assert engine.process.wait(60) in (0, -signal.SIGTERM)


@pytest.mark.triton
async def test_triton_takes_every_flag_and_streams_the_newer_model(tmp_path: Path) -> None:
    installed("triton")
    home, port = ENGINES / "triton", free_port()
    template = tmp_path / "all_models/llmapi/tensorrt_llm"
    (template / "1").mkdir(parents=True)
    (template / "config.pbtxt").write_text(LLMAPI_CONFIG)
    (template / "1/model.py").write_text(LLMAPI_MODEL)
    site = next((home / "lib").glob("python3.*/site-packages"))
    libraries = [str(site / "nvidia_pytriton.libs"), f"{sys.base_prefix}/lib", os.environ.get("LD_LIBRARY_PATH", "")]
    env = {
        "PATH": f"{site / 'pytriton/tritonserver/bin'}:{home / 'bin'}:{os.environ['PATH']}",
        "VIRTUAL_ENV": str(home),
        "PYTHONPATH": str(site),
        "LD_LIBRARY_PATH": ":".join(filter(None, libraries)),
        "TRITON_TEMPLATES": str(tmp_path / "all_models"),
        "TRITON_REPOSITORY": str(tmp_path / "repository"),
        "TRITON_PORT": str(port),
        "TRITON_SHUTDOWN_TIMEOUT": "2",
        "TRITON_METRICS_PORT": str(free_port()),
        "TRITON_EXTRA_ARGS": f"--backend-directory={home / 'backends'}",
    }
    with launched("triton/serve.sh", "triton", port, tmp_path, env, 60) as engine:
        frames = await fetch_frames(
            engine.url, "/v2/models/tensorrt_llm/generate_stream", {"text_input": "count", "streaming": True}
        )
        assert [frame.json["text_output"] for frame in frames] == ["one", "two", "three"]
        os.kill(engine.process.pid, signal.SIGTERM)
        assert engine.process.wait(30) in (0, 1)  # 1: a connection that only idles outlived its patience
