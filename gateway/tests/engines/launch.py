"""Starts real engines on the tiny model: llama.cpp from its wheel, vLLM on CPU and tritonserver from `.engines/`.

Each one is a process group of its own on a loopback port, so that a test can stop it, freeze it or kill it; at the end
of its block nothing of it is left. The context is widened to 32 768 tokens: with 4 096 the tiny model would be through
with any prompt or answer before a test could leave it.
"""

from __future__ import annotations

import os
import re
import signal
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.engines.llamacpp_server import SLOTS
from tests.support.http import fetch
from tests.support.ports import free_port
from tests.support.waiting import LAST_RESORT_S

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
ENGINES = REPOSITORY / ".engines"
TINY_GGUF = REPOSITORY / "gateway/src/hayate/tools/embedded/model/tiny-qwen2.gguf"
TINY_HF = REPOSITORY / "llm/tiny/tiny-qwen2"
MODEL = "tiny-qwen2"
CONTEXT_TOKENS = 32_768
GAUGES = {
    "vllm": ("vllm:num_requests_running", "vllm:num_requests_waiting"),
    "llamacpp": ("llamacpp:requests_processing", "llamacpp:requests_deferred"),
}
COUNTERS = {"vllm": "vllm:generation_tokens_total", "llamacpp": "llamacpp:tokens_predicted_total"}


@dataclass
class EngineProcess:
    """One real engine and the handles a test has on it."""

    backend: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    slots: int = SLOTS
    context_tokens: int = CONTEXT_TOKENS
    model: str = MODEL
    env: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.env = {"LLM_BACKEND": self.backend, "BACKEND_URL": self.url, "MODEL": self.model}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def load(self) -> tuple[int, int]:
        """Requests the engine itself says it is running and holding back."""
        text = (await fetch(self.url, "/metrics")).text
        running, waiting = (_gauge(text, name) for name in GAUGES[self.backend])
        return running, waiting

    async def generated(self) -> int:
        """Tokens of the answers it has made so far. llama.cpp counts an answer when it has ended, however it did."""
        return _gauge((await fetch(self.url, "/metrics")).text, COUNTERS[self.backend])

    async def idle(self) -> bool:
        return await self.load() == (0, 0)

    def send(self, number: signal.Signals) -> None:
        """To every process of the engine."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def send_to_core(self, number: signal.Signals) -> None:
        """To vLLM's engine core alone, which computes while the API server talks."""
        group = [int(entry.name) for entry in Path("/proc").iterdir() if _is_in(entry, self.process.pid)]
        cores = [pid for pid in group if is_core(pid)]
        assert cores, "vLLM has no engine core process"
        for pid in cores:
            os.kill(pid, number)

    def wait_healthy(self, within_s: float) -> None:
        """Until it answers; its own log is the failure's text."""
        ends_at = time.monotonic() + within_s
        path = "/v2/health/ready" if self.backend == "triton" else "/health"
        while time.monotonic() < ends_at and self.process.poll() is None:
            with suppress(OSError, urllib.error.URLError), urllib.request.urlopen(self.url + path, timeout=60) as reply:
                if reply.status == 200:
                    return
            time.sleep(0.05)
        log = self.log.read_text(errors="replace")[-4000:]
        raise AssertionError(f"{self.backend} is not up (exit status {self.process.poll()})\n{log}")

    def end(self) -> None:
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.send(signal.SIGKILL)
        self.process.wait(10)


def _gauge(text: str, name: str) -> int:
    values = re.findall(rf"^{re.escape(name)}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE)
    assert values, f"no {name} among the engine's metrics"
    return int(sum(map(float, values)))


def _is_in(entry: Path, group: int) -> bool:
    try:
        return os.getpgid(int(entry.name)) == group
    except (OSError, ValueError):  # gone meanwhile, or no process at all
        return False


def is_core(pid: int) -> bool:
    """Whether the process is the part of vLLM that computes."""
    try:
        return b"EngineCore" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@contextmanager
def _running(
    backend: str,
    command: Sequence[object],
    port: int,
    folder: Path,
    env: Mapping[str, str] | None = None,
    wait_s: float = LAST_RESORT_S,
) -> Iterator[EngineProcess]:
    log = folder / f"{backend}-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(part) for part in command],
            env={**os.environ, **(env or {})},
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


def widened_gguf(folder: Path) -> Path:
    """The tiny model with a wider context in its header."""
    data = TINY_GGUF.read_bytes()
    field_name = b"qwen2.context_length"
    at = data.index(field_name) + len(field_name) + 4
    widened = folder / "tiny-qwen2-wide.gguf"
    widened.write_bytes(data[:at] + struct.pack("<I", CONTEXT_TOKENS) + data[at + 4 :])
    return widened


def thinking_template(folder: Path) -> Path:
    """The tiny model's chat template as that of a model that thinks: by it llama.cpp tells thoughts from words."""
    text = (TINY_HF / "chat_template.jinja").read_text(encoding="utf-8")
    begins, thought = (
        "{{- '<|im_start|>' + message.role }}\n",
        "{{- '\\n<think>\\n' + message.reasoning_content + '\\n</think>\\n' }}",
    )
    for plain, thinking in (
        ("and not message.tool_calls)", "and not message.tool_calls and not message.reasoning_content)"),
        (begins, f"{begins}{{%- if message.reasoning_content %}}{thought}{{%- endif %}}\n"),
    ):
        assert text.count(plain) == 1
        text = text.replace(plain, thinking)
    template = folder / "thinking.jinja"
    template.write_text(text, encoding="utf-8")
    return template


@contextmanager
def running_llamacpp(
    folder: Path,
    port: int | None = None,
    context_tokens: int = CONTEXT_TOKENS,
    slots: int = SLOTS,
    *,
    thinks: bool = False,
) -> Iterator[EngineProcess]:
    """llama.cpp's own server; up in about half a second. `context_tokens`: what one call has, of which `slots` run at once."""
    port = port or free_port()
    command = [sys.executable, HERE / "llamacpp_server.py", widened_gguf(folder), port, context_tokens, slots]
    command += [thinking_template(folder)] if thinks else []
    with _running("llamacpp", command, port, folder) as engine:
        engine.context_tokens, engine.slots = context_tokens, slots
        yield engine


@contextmanager
def running_vllm(folder: Path, port: int | None = None, places: int = SLOTS) -> Iterator[EngineProcess]:
    """vLLM on CPU; up in 20 to 60 s. `places`: how many calls it works on at a time."""
    port = port or free_port()
    with _running("vllm", vllm_command(port, places), port, folder, vllm_env(), wait_s=180) as engine:
        yield engine


def vllm_env() -> dict[str, str]:
    """What vLLM needs on a CPU, without a network, and wants not to know of us."""
    return {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "VLLM_SERVER_DEV_MODE": "1",  # serves the paths of its sleep mode, which the CPU build answers without freeing anything
        "TORCHDYNAMO_DISABLE": "1",  # else the first call for log probabilities waits for a compiler, and the engine is ejected
    }


def vllm_command(port: int | str, places: int = SLOTS) -> list[object]:
    """vLLM with the tiny model on this port."""
    # fmt: off
    return [
        ENGINES / "vllm/bin/vllm", "serve", TINY_HF, "--host", "127.0.0.1", "--port", str(port),
        "--served-model-name", MODEL, "--dtype", "float32", "--enforce-eager", "--max-num-seqs", str(places),
        "--max-model-len", str(CONTEXT_TOKENS), "--hf-overrides", f'{{"max_position_embeddings": {CONTEXT_TOKENS}}}',
        "--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--enable-prompt-tokens-details",
    ]
    # fmt: on


@contextmanager
def running_triton(folder: Path) -> Iterator[EngineProcess]:
    """tritonserver with a scripted model named `ensemble`; up in about 2 s."""
    home, port = ENGINES / "triton", free_port()
    site = next((home / "lib").glob("python3.*/site-packages"))
    libraries = [str(site / "nvidia_pytriton.libs"), f"{sys.base_prefix}/lib", os.environ.get("LD_LIBRARY_PATH", "")]
    env = {
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "VIRTUAL_ENV": str(home),
        "PYTHONPATH": str(site),
        "LD_LIBRARY_PATH": ":".join(filter(None, libraries)),
    }
    # fmt: off
    command = [
        site / "pytriton/tritonserver/bin/tritonserver", f"--model-repository={HERE / 'triton_models'}",
        f"--backend-directory={home / 'backends'}", "--http-address=127.0.0.1", f"--http-port={port}",
        "--allow-grpc=false", "--allow-metrics=false",
    ]
    # fmt: on
    with _running("triton", command, port, folder, env) as engine:
        yield engine
