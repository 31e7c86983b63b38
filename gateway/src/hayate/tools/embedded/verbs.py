"""`hayate up`: the way in from the command line."""

from __future__ import annotations

from hayate.tools.embedded.options import UpOptions


def up(options: UpOptions) -> int:
    """Start the gateway with an embedded engine: llama.cpp's own server, in a process beside it."""
    from hayate.serve.server import quiet_libraries
    from hayate.tools.embedded.up import run_up

    quiet_libraries()
    return run_up(options)
