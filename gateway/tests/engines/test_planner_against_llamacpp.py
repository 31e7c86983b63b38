"""The planner's KV cache is what a real llama.cpp allocates for the tiny model."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from pathlib import Path
from subprocess import PIPE, STDOUT

import pytest

from hayate.tools.planner.arithmetic import MIB, kv_bytes_per_sequence
from hayate.tools.planner.engines import ENGINES, paging
from hayate.tools.planner.gguf import facts_from_gguf
from hayate.tools.planner.gpus import parse_gpu
from tests.engines.launch import TINY_GGUF

SAID = re.compile(r"llama_kv_cache: size =\s+([\d.]+) MiB \(\s*(\d+) cells,\s+(\d+) layers,\s+(\d+)/")

# A server that says what it allocates, until it is killed.
SERVER = """
import sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.hostnames, params.port = sys.argv[1], ["127.0.0.1"], 0
params.n_ctx, params.n_parallel = int(sys.argv[2]) * int(sys.argv[3]), int(sys.argv[3])
params.n_gpu_layers, params.fit_params, params.verbosity = 0, False, 5
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
sys.stdin.read()
"""


def what_it_says(context: int, slots: int) -> re.Match[str]:
    """Its line about the cache. The log comes from a thread, in its own time."""
    command = [sys.executable, "-c", SERVER, str(TINY_GGUF), str(context), str(slots)]
    lines: list[str] = []
    with subprocess.Popen(
        command, stdin=PIPE, stdout=PIPE, stderr=STDOUT, text=True, encoding="utf-8", errors="replace"
    ) as server:
        late = threading.Timer(60, server.kill)
        late.start()
        try:
            assert server.stdout
            for line in server.stdout:
                lines.append(line)
                if said := SAID.search(line):
                    return said
        finally:
            late.cancel()
            server.kill()
    raise AssertionError("".join(lines)[-4000:])


@pytest.mark.parametrize(("context", "slots"), [(4096, 1), (1024, 3), (1000, 2)])
def test_the_tiny_models_cache_is_what_llamacpp_allocates(context: int, slots: int) -> None:
    said = what_it_says(context, slots)
    model = facts_from_gguf(Path(TINY_GGUF))
    pages = paging(ENGINES["llamacpp"], parse_gpu("24GiB"))
    ours = slots * kv_bytes_per_sequence(model.attention, context, 2, pages)
    assert int(said[4]) == slots
    assert ours / MIB == pytest.approx(float(said[1]), rel=0.05)
