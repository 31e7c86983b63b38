"""The planner's KV cache is what a real llama.cpp allocates for the tiny model."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hayate.planner.arithmetic import MIB, kv_bytes_per_sequence
from hayate.planner.engines import ENGINES, paging
from hayate.planner.gguf import facts_from_gguf
from hayate.planner.gpus import parse_gpu
from tests.engines.launch import TINY_GGUF

SAID = re.compile(r"llama_kv_cache: size =\s+([\d.]+) MiB \(\s*(\d+) cells,\s+(\d+) layers,\s+(\d+)/")

# A server that says what it allocates and is gone as soon as it listens.
SERVER = """
import os, sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.hostnames, params.port = sys.argv[1], ["127.0.0.1"], 0
params.n_ctx, params.n_parallel = int(sys.argv[2]) * int(sys.argv[3]), int(sys.argv[3])
params.n_gpu_layers, params.fit_params, params.verbosity = 0, False, 5
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.parametrize(("context", "slots"), [(4096, 1), (1024, 3), (1000, 2)])
def test_the_tiny_models_cache_is_what_llamacpp_allocates(context: int, slots: int) -> None:
    command = [sys.executable, "-c", SERVER, str(TINY_GGUF), str(context), str(slots)]
    told = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60, check=False)
    said = SAID.search(told.stdout + told.stderr)
    assert said, (told.stdout + told.stderr)[-4000:]
    model = facts_from_gguf(Path(TINY_GGUF))
    pages = paging(ENGINES["llamacpp"], parse_gpu("24GiB"))
    ours = slots * kv_bytes_per_sequence(model.attention, context, 2, pages)
    assert int(said[4]) == slots
    assert ours / MIB == pytest.approx(float(said[1]), rel=0.05)
