"""How deep a vLLM that gives way sleeps. Pure.

Level 1 keeps the weights in the host's memory, so that waking takes seconds. Level 2 forgets them and reads them from
the disk again; vLLM can't do that for quantised weights, whose layout on the GPU is no longer the file's. Where neither
is possible, the engine has to be stopped and started instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from hayate.tools.planner.facts import ModelFacts
from hayate.tools.planner.host import Host

Level = Literal[1, 2] | None


def levels(models: Sequence[ModelFacts], host: Host) -> tuple[Level, ...]:
    """One for each: level 1 as far as the host's memory holds the weights of all at once, as they are at the start.

    Quantised ones have the memory first, since nothing else is possible for them; then in the order in which they were named.
    """
    left = host.weights_bytes(len(models))
    if left is None:
        return tuple(1 for _ in models)
    found: dict[int, Level] = {}
    for index in sorted(range(len(models)), key=lambda index: models[index].quantisation == "none"):
        model = models[index]
        if model.weight_bytes <= left:
            found[index], left = 1, left - model.weight_bytes
        else:
            found[index] = 2 if model.quantisation == "none" else None
    return tuple(found[index] for index in range(len(models)))


def needed_bytes(models: Sequence[ModelFacts]) -> int:
    """The weights that lie in the host's memory when all sleep at level 1."""
    return sum(model.weight_bytes for model in models)
