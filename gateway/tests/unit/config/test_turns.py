"""Deployments that can't take turns as they are written are refused, each where it stands, with what to write."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hayate.config.load import load_config
from hayate.config.mistakes import ConfigError, Findings
from hayate.config.models import Config
from hayate.config.turn_oddities import turn_oddities
from hayate.config.turns import preloaded, takes_turns, turn_mistakes
from tests.support.tables import table

GPU = "gpus: {gpu0: {memory: 24GiB}}\n"


def vllm(name: str, more: str) -> str:
    return f"  {name}: {{backend: vllm, replicas: [http://{name}], {more}}}\n"


def told(tmp_path: Path, text: str, **env: str) -> list[str]:
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        load_config(path, env)
    except ConfigError as error:
        found = error
    else:
        return []
    assert all(re.search(r"[ぁ-んァ-ヶ一-龠]", line) for line in found.japanese.splitlines())
    return [line.removeprefix(f"{path}: ") for line in found.english.splitlines()]


SOUND = [
    GPU + "deployments:\n" + vllm("a", "gpu: gpu0, memory: 19GiB") + vllm("b", "gpu: gpu0, memory: 24GiB"),
    GPU + "deployments:\n" + vllm("a", "gpu: gpu0, memory: 12GiB, pin: true") + vllm("b", "gpu: gpu0, memory: 12GiB"),
    "deployments:\n" + vllm("a", "gpu: anything") + vllm("b", "gpu: [anything, else]"),
    GPU
    + "preload: [smart, b]\ndeployments:\n"
    + vllm("a", "gpu: gpu0, memory: 2GiB")
    + vllm("b", "gpu: gpu0, memory: 2GiB")
    + "aliases: {smart: [b, a]}\n",
    "preload: [fast, default]\ndeployments:\n" + vllm("a", "model: m"),
    GPU + "deployments:\n  a: {backend: sglang, run: {command: [s, '{port}']}, gpu: gpu0, memory: 19GiB}\n",
    GPU + "deployments:\n  a: {backend: ollama, model: m, replicas: [http://a], gpu: gpu0, memory: 19GiB}\n",
]


@table("text", SOUND)
def test_what_can_be_served_is_taken(tmp_path: Path, text: str) -> None:
    assert told(tmp_path, text) == []


@table(
    ("text", "says"),
    [
        (
            GPU + "deployments:\n" + vllm("a", "gpu: gpu0, memory: 25GiB"),
            "line 3: deployments.a.memory: is 25 GiB and never fits on gpu0, which has 24 GiB",
        ),
        (
            GPU + "deployments:\n" + vllm("a", "gpu: gpo0, memory: 2GiB"),
            "line 3: deployments.a.gpu.0: gpus has no gpo0: there is gpu0; did you mean gpu0?",
        ),
        (
            GPU + "deployments:\n" + vllm("a", "memory: 2GiB"),
            "line 3: deployments.a.memory: belongs to a GPU: write gpu: with a name of gpus (gpu0) too",
        ),
        (
            "deployments:\n" + vllm("a", "gpu: rtx, memory: 2GiB"),
            "line 2: deployments.a.memory: belongs to a GPU whose size is known: write gpus: {rtx: {memory: 24GiB}} at the top",
        ),
        (
            "deployments:\n" + vllm("a", "memory: 2GiB"),
            "line 2: deployments.a.memory: belongs to a GPU whose size is known: write gpus: {gpu0: {memory: 24GiB}} at",
        ),
        (
            GPU
            + "deployments:\n"
            + vllm("a", "gpu: gpu0, memory: 20GiB, pin: true")
            + vllm("b", "gpu: gpu0, memory: 5GiB"),
            "line 4: deployments.b.memory: never fits: it takes 5 GiB, and what is pinned on gpu0 (a) leaves 4 GiB",
        ),
        (
            GPU
            + "deployments:\n"
            + vllm("a", "gpu: gpu0, memory: 20GiB, pin: true")
            + vllm("b", "gpu: gpu0, memory: 5GiB, pin: true"),
            "line 4: deployments.b.pin: never fits: it takes 5 GiB, and what is pinned on gpu0 (a) leaves 4 GiB",
        ),
        (
            GPU + "deployments:\n" + vllm("a", "gpu: gpu0, memory: 2GiB, pin: true, idle_unload_s: 60"),
            "line 3: deployments.a.idle_unload_s: contradicts pin: true",
        ),
        (
            GPU + "deployments:\n  a: {backend: trtllm, replicas: [http://a], gpu: gpu0, memory: 2GiB}\n",
            "line 3: deployments.a.memory: is for models that the gateway can unload, and trtllm offers no way to",
        ),
        (
            GPU + "deployments:\n  a: {backend: llamacpp, replicas: [http://a], gpu: gpu0, memory: 2GiB}\n",
            "line 3: deployments.a.memory: needs model: to be set, because llamacpp is told by name",
        ),
        (
            "preload: [fsat]\naliases: {fast: a}\ndeployments:\n" + vllm("a", "model: m"),
            "line 1: preload.0: no deployment or alias is named fsat; there are a; did you mean fast?",
        ),
        (
            GPU.replace("24GiB", "24GiBs") + "deployments:\n" + vllm("a", "gpu: gpu0, memory: 25GiB"),
            "line 1: gpus.gpu0.memory: must be a size such as 24GiB, not '24GiBs'; write 24GiB",
        ),
        (
            "preload: [a]\ndeployments:\n" + vllm("b", "model: m") + "  a: {backend: vlm, replicas: [http://a]}\n",
            "line 4: deployments.a.backend: must be one of",
        ),
    ],
)
def test_what_can_t_be_served_is_told_where_it_stands_and_nothing_else(tmp_path: Path, text: str, says: str) -> None:
    found = told(tmp_path, text)
    assert len(found) == 1, found
    assert found[0].startswith(says)


def test_in_the_gateways_container_no_engine_is_run(tmp_path: Path) -> None:
    text = "deployments:\n  a: {backend: vllm, run: {command: [x, '{port}']}}\n"
    assert told(tmp_path, text) == []
    found = told(tmp_path, text, HAYATE_CONTAINER="1")
    assert len(found) == 1
    assert found[0].startswith("line 2: deployments.a.run: is for a gateway that is installed on the machine")


def test_preload_leads_through_aliases_to_each_deployment_once(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(SOUND[3], encoding="utf-8")
    config = load_config(path, {})
    assert preloaded(config) == ("b",)
    assert [takes_turns(config, each) for each in config.deployments.values()] == [True, True]


@pytest.mark.parametrize(("text", "turns"), [(SOUND[5], True), (SOUND[6], True), (SOUND[2], False)])
def test_who_takes_turns(tmp_path: Path, text: str, turns: bool) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    config = load_config(path, {})
    assert takes_turns(config, config.deployments["a"]) == turns


SIZES = st.sampled_from([None, "4GiB", "10GiB", "14GiB", "24GiB"])
DEPLOYMENTS = st.lists(
    st.fixed_dictionaries(
        {"memory": SIZES, "gpu": st.lists(st.sampled_from(["g0", "g1"]), unique=True), "pin": st.booleans()}
    ),
    min_size=1,
    max_size=4,
)


@settings(deadline=None)
@given(DEPLOYMENTS, st.dictionaries(st.sampled_from(["g0", "g1"]), st.sampled_from(["12GiB", "24GiB"])))
def test_whatever_is_accepted_can_be_loaded_beside_all_that_is_pinned(each: Any, gpus: dict[str, str]) -> None:
    deployments = {
        f"d{number}": {"backend": "vllm", "replicas": ["http://a"], **values} for number, values in enumerate(each)
    }
    values = {"gpus": {name: {"memory": size} for name, size in gpus.items()}, "deployments": deployments}
    config = Config.model_validate(values)
    if list(turn_mistakes(config, Findings(), {})):
        return
    for name, gpu in config.gpus.items():
        here = [each for each in config.deployments.values() if name in each.gpu]
        pinned = sum(each.memory or 0 for each in here if each.pin)
        assert pinned <= gpu.memory
        assert all(pinned + (each.memory or 0) <= gpu.memory for each in here if not each.pin)
    assert all(takes_turns(config, each) for each in config.deployments.values() if each.memory)
    for odd in turn_oddities(config, values, None):
        assert odd.where[0] in ("gpus", "deployments")
