"""llama.cpp's own HTTP server with the settings the tests want: python llamacpp_server.py MODEL PORT CONTEXT SLOTS [TEMPLATE]."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import xllamacpp

SLOTS = 2


def main(model: str, port: int, context_tokens: int, slots: int, template: str | None = None) -> None:
    """Serves until SIGTERM, with so many slots and so much context for each; `template`: a file in place of the model's own."""
    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {"tiny-qwen2"}
    params.hostnames = ["127.0.0.1"]
    params.port = port
    params.n_ctx = context_tokens * slots
    params.n_parallel = slots
    params.n_batch = params.n_ubatch = 256
    params.n_gpu_layers = 0
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.endpoint_metrics = True
    params.endpoint_props = True
    params.endpoint_slots = True
    params.fit_params = False
    if template is not None:
        params.chat_template = Path(template).read_text(encoding="utf-8")
        params.reasoning_format = xllamacpp.common_reasoning_format.COMMON_REASONING_FORMAT_AUTO
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
