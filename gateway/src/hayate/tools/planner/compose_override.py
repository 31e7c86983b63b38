"""A plan for several models as an override of `compose.yml`, which lies beside it, and as lines of `.env`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from hayate.tools.planner.gateway_yaml import heading, plan_order, service_name
from hayate.tools.planner.shared import SharedPlan

GATEWAY_FILE, COMPOSE_FILE, BASE_FILE = "hayate.planned.yaml", "compose.planned.yml", "compose.yml"


def compose_override(plan: SharedPlan) -> str | None:
    """The file's text; None for engines that run on the host."""
    services = compose_services(plan)
    return heading(plan) + yaml.safe_dump({"services": services}, sort_keys=False, width=120) if services else None


def compose_services(plan: SharedPlan) -> dict[str, Any]:
    """What it says of each service."""
    if plan.engine.name == "ollama":
        return {"ollama": {"environment": _ollama(plan)}}
    return _vllm(plan) if plan.engine.name == "vllm" else {}


def env_lines(plan: SharedPlan, present: Mapping[str, str]) -> dict[str, str]:
    """What `.env` should say: which file the gateway reads, and which files and engine compose starts."""
    values = {"HAYATE_CONFIG": f"./{GATEWAY_FILE}"}
    if not compose_services(plan):
        return values | ({"COMPOSE_FILE": BASE_FILE} if COMPOSE_FILE in present.get("COMPOSE_FILE", "") else {})
    engine = plan.engine.name
    return {"LLM_BACKEND": engine, **values, "COMPOSE_FILE": f"{BASE_FILE}:{COMPOSE_FILE}", "COMPOSE_PROFILES": engine}


def env_of_one(present: Mapping[str, str]) -> dict[str, str]:
    """What takes those lines back, for a plan of one model: with them `.env` would still name the files of several."""
    if present.get("HAYATE_CONFIG") != f"./{GATEWAY_FILE}":
        return {}
    return {"HAYATE_CONFIG": ""} | ({"COMPOSE_FILE": BASE_FILE} if "COMPOSE_FILE" in present else {})


def _vllm(plan: SharedPlan) -> dict[str, Any]:
    """A service for each model. Each starts once the one before is ready, and asleep if they take turns: a vLLM measures
    the free memory while it starts, and wants all of its share. So the gateway, which wakes them, starts after the last.
    """
    services: dict[str, Any] = {}
    before = ""
    for each in plan_order(plan):
        env = dict(plan.flags(each).env)
        if plan.sleeps and plan.arrangement:
            level = plan.arrangement.levels[each.candidate.name]
            env |= {"VLLM_ENABLE_SLEEP_MODE": "1", "VLLM_START_ASLEEP": str(level)}
        name = service_name(plan, each)
        service: dict[str, Any] = {} if name == "vllm" else {"extends": {"file": BASE_FILE, "service": "vllm"}}
        service["environment"] = env
        if before:
            service["depends_on"] = {before: {"condition": "service_healthy"}}
        services[name], before = service, name
    return services | ({"gateway": {"depends_on": {before: {"condition": "service_healthy"}}}} if plan.sleeps else {})


def _ollama(plan: SharedPlan) -> dict[str, str]:
    """One server for all: it fetches every model, and lets the gateway say which is loaded."""
    placed = plan_order(plan)
    each = [plan.flags(one).env for one in placed]
    return {
        "MODEL": " ".join(env["MODEL"] for env in each if "MODEL" in env),
        "OLLAMA_CONTEXT_LENGTH": str(max(one.candidate.context_tokens for one in placed)),
        "OLLAMA_NUM_PARALLEL": str(placed[0].sequences),
        "OLLAMA_MAX_LOADED_MODELS": str(len(placed)),
    }
