"""What the tests of the planner share: a model with round numbers, and a plan for it."""

from __future__ import annotations

from typing import Any

from hayate.tools.planner.arithmetic import GIB, Attention
from hayate.tools.planner.facts import ModelFacts
from hayate.tools.planner.gpus import parse_gpu
from hayate.tools.planner.plan import Plan, Wish, make_plan

FULL = Attention(32, 8, 128, 128)
"""128 KiB a token in 16 bits, 1 GiB for 8192 tokens."""


def facts(**changes: Any) -> ModelFacts:
    """A model of 10 GiB of weights in bfloat16, 32 layers, 32 heads."""
    values: dict[str, Any] = {
        "id": "own/round-numbers",
        "attention": (FULL,),
        "heads": 32,
        "hidden": 4096,
        "vocab": 131072,
        "context_tokens": 32768,
        "weight_bytes": 10 * GIB,
    }
    return ModelFacts(**{**values, **changes})


def plan(model: ModelFacts | None = None, gpu: str = "24GiB", **wish: Any) -> Plan:
    """The plan for it, eight sequences of 8192 tokens unless wished otherwise."""
    return make_plan(model or facts(), Wish(parse_gpu(gpu), **wish))
