"""A plan for several models as the gateway's YAML file. Pure; the keys are those of `gateway/config.example.yaml`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import yaml

from hayate.tools.planner.arithmetic import GIB
from hayate.tools.planner.flags import BACKEND_URLS
from hayate.tools.planner.shared import SharedPlan
from hayate.tools.planner.together import Placed

GPU = "gpu0"
MARK = "# Written by `hayate plan --models"
"""How each file begins that a plan wrote, and that the next one may replace."""


def gateway_yaml(plan: SharedPlan) -> str:
    """The file's text."""
    return heading(plan) + yaml.safe_dump(
        gateway_values(plan), sort_keys=False, allow_unicode=True, width=120, default_flow_style=None
    )


def heading(plan: SharedPlan) -> str:
    """The line that says what a file is for."""
    names = ",".join(each.candidate.name for each in plan_order(plan))
    return f"{MARK} {names} --gpu {plan.room.wish.gpu.name.replace(' ', '')} --write`; a next plan replaces it.\n"


def plan_order(plan: SharedPlan) -> tuple[Placed, ...]:
    """The models in the order in which they were named: the first is `fast`, the last `smart`."""
    return plan.arrangement.placed if plan.arrangement else ()


def gateway_values(plan: SharedPlan) -> dict[str, Any]:
    """What the file says. Where nobody has to give way to anybody and the engines run by themselves, nothing of GPUs."""
    placed = plan_order(plan)
    names = [each.candidate.name for each in placed]
    loads = plan.sleeps or plan.engine.name != "vllm"
    values: dict[str, Any] = {"gpus": {GPU: {"memory": size(plan.gpu_bytes, math.floor)}}} if loads else {}
    values["deployments"] = {each.candidate.name: _deployment(plan, each, loads=loads) for each in placed}
    if loads and plan.arrangement:
        values["preload"] = [each.candidate.name for each in plan.arrangement.groups[0]]
    fast, smart = names[0], names[-1]
    values["aliases"] = {"fast": fast, "smart": [smart, fast] if smart != fast else smart, "default": fast}
    return values


def service_name(plan: SharedPlan, placed: Placed) -> str:
    """The compose service of a model: the engine's own for the first, and for all where one server has them all."""
    engine = plan.engine.name
    first = placed.candidate.name == plan_order(plan)[0].candidate.name
    return engine if first or engine == "ollama" else f"{engine}-{placed.candidate.name}"


def size(of_bytes: int, rounded: Any = math.ceil) -> str:
    """Bytes as the file says them, in hundredths of a GiB."""
    return f"{rounded(of_bytes / GIB * 100) / 100:g}GiB"


def _deployment(plan: SharedPlan, placed: Placed, *, loads: bool) -> dict[str, Any]:
    each, engine = placed.candidate, plan.engine.name
    flags = plan.flags(placed)
    values: dict[str, Any] = {"backend": engine, "model": flags.env.get("MODEL", each.model.id)}
    if engine == "llamacpp":
        values["run"] = {"command": _managed(flags.command)}
    else:
        url = BACKEND_URLS[engine]
        values["replicas"] = [url.replace(f"//{engine}:", f"//{service_name(plan, placed)}:")]
    if loads:
        values |= {"gpu": GPU, "memory": size(plan.memory_bytes(placed))}
    values["context_tokens"] = each.context_tokens
    if engine == "llamacpp":
        values["max_in_flight"] = placed.sequences
    options = _options(plan, placed)
    return values | ({"options": options} if options else {})


def _options(plan: SharedPlan, placed: Placed) -> Mapping[str, Any]:
    if plan.sleeps and plan.arrangement:
        return {"sleep_level": plan.arrangement.levels[placed.candidate.name]}
    return {"num_parallel": placed.sequences} if plan.engine.name == "ollama" else {}


def _managed(command: tuple[str, ...]) -> list[str]:
    """The command of a terminal as the gateway runs it: the model and the port are filled in by it."""
    program, kind, _, *flags = command
    beside = ("--host", "127.0.0.1", "--port", "{port}", "--alias", "{model}", "--jinja", "--metrics")
    return [program, kind, "{model}", *flags, *beside]
