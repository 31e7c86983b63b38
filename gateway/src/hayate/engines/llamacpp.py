"""llama.cpp's own server from the installed wheel, as a program for a keeper: what `run: llamacpp` and `hayate up` start.

The program is `tools.embedded.child`: what it stands on to find a model's weights is its own business, and stays out of the
gateway's process. What it has to know comes over its standard input, so that no key shows in a process list.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from hayate.engines.program import Program, without_secrets

CHILD: Final = (sys.executable, "-P", "-m", "hayate.tools.embedded.child")
SLOTS: Final = 4
"""Answers at the same time, where nobody says."""
STOP_S: Final = 1.0
"""It has nothing to save."""
SILENT_S: Final = 30.0
"""Its /health is answered by threads that do nothing else."""


@dataclass(frozen=True, slots=True)
class LlamaCpp:
    """Everything the child needs to know."""

    model: str
    """A GGUF file; with `is_wanted`, as `MODEL` of `make run`: also a folder, or a file on the Hub."""
    served_model: str
    port: int
    key: str
    """What it is asked with."""
    context_tokens: int | None
    """Of one slot; None: as the model has it, within bounds."""
    slots: int = SLOTS
    threads: int | None = None
    """None: one for each core."""
    is_wanted: bool = False
    """Whether the child has to find the model first, and to see that it fits into memory."""
    is_verbose: bool = False

    def render(self) -> str:
        """As the line that the child reads."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def parse(cls, line: bytes) -> LlamaCpp:
        """The child's side of `render`."""
        return cls(**json.loads(line))

    def program(self, env: Mapping[str, str]) -> Program:
        """What to start; `env` is the gateway's own environment."""
        return Program(CHILD, without_secrets(env), stop_s=STOP_S, stdin=self.render(), silent_s=SILENT_S)
