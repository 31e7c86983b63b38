"""`python -m hayate.tools.embedded.child`: llama.cpp's own HTTP server on 127.0.0.1, for one parent.

Rules: it lives no longer than its parent, however that ended: standard input is a pipe that only the parent holds, and
its end is the end; on Linux the kernel kills it too, even in the middle of loading. SIGTERM keeps its default, so that
a stop is immediate; Ctrl-C is the parent's to handle. It has nothing to save.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import NoReturn

from hayate.telemetry.log_writer import write_error
from hayate.tools.embedded.settings import EngineSettings

MODEL_REFUSED = 3
PORT_TAKEN = 4
LAST_WORDS_S = 5
LOG_S = 0.5
PR_SET_PDEATHSIG = 1
OOM_SCORE_FILE = Path("/proc/self/oom_score_adj")
OOM_SCORE = "500"
WARNINGS, EVERYTHING = 2, 3


def main() -> None:
    """Reads the settings, serves until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = EngineSettings.parse(sys.stdin.buffer.readline())
    _die_with(settings.parent_pid)
    # When memory runs out, the kernel should take the engine, which is started again, and not the gateway.
    if OOM_SCORE_FILE.exists():
        OOM_SCORE_FILE.write_text(OOM_SCORE, encoding="ascii")
    if _taken(settings.port):
        _tell(f"port {settings.port} is taken")
        os._exit(PORT_TAKEN)
    _serve(settings)


def _serve(settings: EngineSettings) -> NoReturn:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = settings.model_path
    params.model_alias = {settings.served_model}
    params.hostnames = ["127.0.0.1"]
    params.port = settings.port
    params.api_keys = [settings.key]
    # Each connection holds one, idle ones too; /health must always find one.
    params.n_threads_http = 16 + 4 * settings.slots
    params.n_parallel = settings.slots
    params.n_ctx = settings.context_tokens * settings.slots  # split evenly over the slots
    params.cpuparams.n_threads = settings.threads
    params.cpuparams_batch.n_threads = settings.threads
    params.verbosity = EVERYTHING if settings.verbose else WARNINGS
    params.endpoint_metrics = True
    params.endpoint_slots = False  # it would show prompts
    params.ui = False
    params.offline = True
    params.fit_params = False  # what was asked for, or a refusal: never silently less context
    params.cache_ram_mib = 0  # its default keeps up to 8 GiB of old prompts
    params.cache_idle_slots = False
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:  # the reason is in the log
        _tell(str(error))
        # Not at once: llama.cpp's log has a thread of its own, which ends with what it still has to say, and on a busy machine
        # may not have begun to. The alarm is for one that never ends.
        signal.alarm(LAST_WORDS_S)
        time.sleep(LOG_S)
        sys.exit(MODEL_REFUSED)
    _tell(f"listening on {server.listening_address}")
    sys.stdin.buffer.read()
    os._exit(0)


def _tell(line: str) -> None:
    write_error(line + "\n")  # a full disk under the log is no reason not to serve


def _die_with(parent_pid: int) -> None:
    """Ask the kernel to kill this process when its parent dies, unless it is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(0)


def _taken(port: int) -> bool:
    """Whether another program has the port: llama.cpp would only say that it can't start."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


if __name__ == "__main__":
    main()
