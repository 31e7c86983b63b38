"""The YAML that a plan writes is one that the gateway reads, and says what the plan says."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayate.config.load import load_config
from hayate.config.models import Config
from hayate.serve.specs import option_mistakes
from hayate.tools.planner.arithmetic import GIB
from hayate.tools.planner.gateway_yaml import MARK, gateway_yaml, size
from hayate.tools.planner.shared import SharedPlan
from tests.support.tables import table
from tests.unit.tools.planner.sharing import PAIR, room, shared

THREE = "qwen2.5-7b,qwen2.5-14b,bakeneko-32b"


def read(plan: SharedPlan, folder: Path) -> Config:
    file = folder / "hayate.planned.yaml"
    file.write_text(gateway_yaml(plan), encoding="utf-8")
    return load_config(file, {}, check=option_mistakes)


def test_models_that_take_turns_have_a_gpu_memory_and_how_deep_they_sleep(tmp_path: Path) -> None:
    plan = shared()
    told = read(plan, tmp_path)
    assert gateway_yaml(plan).startswith(MARK)
    assert [*told.deployments] == ["qwen2.5-7b", "bakeneko-32b"]
    smart = told.deployments["bakeneko-32b"]
    assert smart.replicas == ("http://vllm-bakeneko-32b:8000",)
    assert (smart.gpu, smart.context_tokens, smart.options) == (("gpu0",), 8192, {"sleep_level": 1})
    assert told.preload == ("qwen2.5-7b",)
    assert told.aliases["fast"] == told.aliases["default"] == ("qwen2.5-7b",)
    assert told.aliases["smart"] == ("bakeneko-32b", "qwen2.5-7b")


def test_models_that_all_stay_loaded_need_no_gpus(tmp_path: Path) -> None:
    told = read(shared(where=room("48GiB")), tmp_path)
    assert (told.gpus, told.preload) == ({}, ())
    assert {each.memory for each in told.deployments.values()} == {None}


def test_ollama_has_one_server_and_two_tags(tmp_path: Path) -> None:
    told = read(shared(where=room(engine="ollama")), tmp_path)
    assert {each.replicas for each in told.deployments.values()} == {("http://ollama:11434",)}
    assert told.deployments["qwen2.5-7b"].model == "hf.co/bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M"
    assert told.deployments["qwen2.5-7b"].options == {"num_parallel": 1}


def test_llamacpp_is_run_by_the_gateway(tmp_path: Path) -> None:
    told = read(shared(where=room(engine="llamacpp")), tmp_path)
    fast = told.deployments["qwen2.5-7b"]
    assert (fast.model, fast.max_in_flight) == ("bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M", 8)
    assert not isinstance(fast.run, str)
    assert fast.run is not None
    command = fast.run.command
    assert command[:3] == ("llama-server", "-hf", "{model}")
    assert command[command.index("-c") + 1] == str(8 * 8192)
    assert command[command.index("--port") + 1] == "{port}"


@table(
    ("engine", "names", "gpu"),
    [
        (engine, names, gpu)
        for engine in ("vllm", "ollama", "llamacpp")
        for names in (PAIR, THREE)
        for gpu in ("24GiB", "48GiB", "80GiB")
        if engine == "vllm" or names == PAIR
    ],
)
def test_whatever_is_loaded_together_fits_the_gpu_and_the_rest_does_not(
    engine: str, names: str, gpu: str, tmp_path: Path
) -> None:
    plan = shared(names, room(gpu, engine=engine))
    told = read(plan, tmp_path)
    assert plan.arrangement is not None
    if not told.gpus:
        assert not plan.arrangement.turns
        return
    memory = {name: each.memory or 0 for name, each in told.deployments.items()}
    for group in plan.arrangement.groups:
        assert sum(memory[each.candidate.name] for each in group) <= told.gpus["gpu0"].memory
    assert (sum(memory.values()) > told.gpus["gpu0"].memory) == plan.arrangement.turns


@pytest.mark.parametrize(("of_bytes", "said"), [(20 * GIB, "20GiB"), (20 * GIB + 1, "20.01GiB"), (GIB // 2, "0.5GiB")])
def test_sizes_are_rounded_up_to_hundredths(of_bytes: int, said: str) -> None:
    assert size(of_bytes) == said
