"""`python -m hayate.tools.embedded.child`: llama.cpp's own HTTP server on 127.0.0.1, under a keeper (`engines.llamacpp`).

Rules: it lives no longer than its keeper, however that ended: standard input is a pipe that only the keeper holds, and its end
is the end. SIGTERM keeps its default, so that a stop is immediate. It has nothing to save.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import NoReturn

from hayate.engines.llamacpp import LlamaCpp
from hayate.engines.ports import is_taken
from hayate.telemetry.log_writer import write_error

MODEL_REFUSED = 3
PORT_TAKEN = 4
LAST_WORDS_S = 5
LOG_S = 0.5
WARNINGS, EVERYTHING = 2, 3


def main() -> None:
    """Reads the settings, serves until the keeper is gone."""
    settings = LlamaCpp.parse(sys.stdin.buffer.readline())
    if is_taken(settings.port):  # llama.cpp would only say that it can't start, or share it
        _tell(f"port {settings.port} is taken")
        os._exit(PORT_TAKEN)
    _serve(settings, *(_found(settings) if settings.is_wanted else (settings.model, settings.context_tokens or 0)))


def _found(settings: LlamaCpp) -> tuple[str, int]:
    """The model's file, downloaded if need be, and the tokens of one slot. Ends the program where that can't be."""
    from hayate.tools.embedded.fit import context_of, need_of, require_memory
    from hayate.tools.embedded.machine import available_memory_bytes
    from hayate.tools.embedded.refusals import CannotStart
    from hayate.tools.embedded.weights import find_weights

    try:
        weights = find_weights(settings.model, lambda english, _: _tell(english))
        tokens = context_of(weights, settings.context_tokens)
        require_memory(weights, need_of(weights, tokens, settings.slots), available_memory_bytes())
    except CannotStart as error:
        _tell(f"0 E {error.english}")  # as llama.cpp says what is wrong
        sys.exit(MODEL_REFUSED)
    return str(weights.path), tokens


def _serve(settings: LlamaCpp, path: str, context_tokens: int) -> NoReturn:
    import xllamacpp

    from hayate.tools.embedded.machine import threads

    params = xllamacpp.CommonParams()
    params.model.path = path
    params.model_alias = {settings.served_model}
    params.hostnames = ["127.0.0.1"]
    params.port = settings.port
    params.api_keys = [settings.key]
    # Each connection holds one, idle ones too; /health must always find one.
    params.n_threads_http = 16 + 4 * settings.slots
    params.n_parallel = settings.slots
    params.n_ctx = context_tokens * settings.slots  # split evenly over the slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings.threads or threads()
    params.verbosity = EVERYTHING if settings.is_verbose else WARNINGS
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


if __name__ == "__main__":
    main()
