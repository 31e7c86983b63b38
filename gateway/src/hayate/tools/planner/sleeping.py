"""How deep a vLLM that gives way sleeps. Pure.

Level 1 keeps the weights in the host's memory, so that waking takes seconds. Level 2 forgets them and reads them from
the disk again. vLLM 0.32 does so for quantised weights, too, by its source: layer by layer, each repacked for the GPU as
at the start; releases before it fail or answer nonsense (vllm#28606). Formats that have no loader of that kind can sleep
at level 1 alone: where there is no memory for it, the engine has to be stopped and started instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from hayate.tools.planner.facts import ModelFacts, Quantisation
from hayate.tools.planner.host import Host

Level = Literal[1, 2] | None
NEVER_READ_AGAIN: tuple[Quantisation, ...] = ("bitsandbytes", "other")


def levels(models: Sequence[ModelFacts], host: Host) -> tuple[Level, ...]:
    """One for each: level 1 as far as the host's memory holds the weights of all at once, as they are at the start.

    Those have the memory first that can do nothing else, then other quantised ones, then those that were named first.
    """
    left = host.weights_bytes(len(models))
    if left is None:
        return tuple(1 for _ in models)
    found: dict[int, Level] = {}
    for index in sorted(range(len(models)), key=lambda index: _patience(models[index])):
        model = models[index]
        if model.weight_bytes <= left:
            found[index], left = 1, left - model.weight_bytes
        else:
            found[index] = None if model.quantisation in NEVER_READ_AGAIN else 2
    return tuple(found[index] for index in range(len(models)))


def needed_bytes(models: Sequence[ModelFacts]) -> int:
    """The weights that lie in the host's memory when all sleep at level 1."""
    return sum(model.weight_bytes for model in models)


def _patience(model: ModelFacts) -> int:
    if model.quantisation in NEVER_READ_AGAIN:
        return 0
    return 2 if model.quantisation == "none" else 1
