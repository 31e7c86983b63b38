"""What the parent tells the child engine: one line of JSON on its standard input, so that no key shows in a process list."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Everything the child needs to know."""

    model_path: str
    served_model: str
    port: int
    key: str
    parent_pid: int
    context_tokens: int
    """Of one slot."""
    slots: int
    threads: int
    verbose: bool = False

    def render(self) -> bytes:
        """As the line that the child reads."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> EngineSettings:
        """The child's side of `render`."""
        return cls(**json.loads(line))
