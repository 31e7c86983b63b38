"""How each model of the catalogue writes its tool calls and its thoughts, and that every launch script tells its engine so."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import Literal

import pytest

from hayate.tools.planner.catalogue import find_model, load_catalogue
from tests.deploy.stand_ins import LLM, Bench, Call
from tests.engines.launch import ENGINES
from tests.engines.shared import installed

Tools = Literal["hermes", "llama", "mistral", "harmony", "gemma", "xml", "none"]
Thoughts = Literal["think tags", "harmony", "gemma", "always", "none"]
CATALOGUE: dict[str, tuple[Tools, Thoughts]] = {
    "Qwen/Qwen2.5-7B-Instruct": ("hermes", "none"),
    "Qwen/Qwen2.5-7B-Instruct-AWQ": ("hermes", "none"),
    "tokyotech-llm/Llama-3.1-Swallow-8B-Instruct-v0.3": ("llama", "none"),
    "mistralai/Mistral-Nemo-Instruct-2407": ("mistral", "none"),
    "cyberagent/Mistral-Nemo-Japanese-Instruct-2408": ("none", "none"),
    "Qwen/Qwen2.5-14B-Instruct": ("hermes", "none"),
    "Qwen/Qwen2.5-14B-Instruct-AWQ": ("hermes", "none"),
    "Qwen/Qwen2.5-32B-Instruct": ("hermes", "none"),
    "Qwen/Qwen2.5-32B-Instruct-AWQ": ("hermes", "none"),
    "rinna/qwen2.5-bakeneko-32b-instruct-awq": ("hermes", "none"),
    "rinna/qwen2.5-bakeneko-32b-instruct-v2-awq": ("hermes", "none"),
    "tokyotech-llm/Qwen3-Swallow-8B-RL-v0.2": ("hermes", "think tags"),
    "tokyotech-llm/Qwen3-Swallow-32B-RL-v0.2-AWQ-INT4": ("hermes", "think tags"),
    "tokyotech-llm/Qwen3-Swallow-30B-A3B-RL-v0.2": ("hermes", "think tags"),
    "tokyotech-llm/GPT-OSS-Swallow-20B-RL-v0.1": ("harmony", "harmony"),
    "llm-jp/llm-jp-4-8b-instruct": ("none", "none"),
    "llm-jp/llm-jp-4-32b-a3b-thinking": ("none", "none"),  # Harmony's channels on an own vocabulary: nobody reads them
    "google/gemma-4-26B-A4B-it": ("gemma", "gemma"),
    "google/gemma-4-31B-it": ("gemma", "gemma"),
}
OTHERS: dict[str, tuple[Tools, Thoughts]] = {
    "openai/gpt-oss-120b": ("harmony", "harmony"),
    "Qwen/Qwen3-8B": ("hermes", "think tags"),
    "Qwen/Qwen3-30B-A3B-Instruct-2507": ("hermes", "none"),
    "Qwen/Qwen3-Coder-30B-A3B-Instruct": ("xml", "none"),
    "rinna/deepseek-r1-distill-qwen2.5-bakeneko-32b": ("none", "always"),
    "rinna/qwq-bakeneko-32b": ("hermes", "always"),
    "/models/Qwen3-Swallow-8B-RL-v0.2": ("hermes", "think tags"),
    "someone/unheard-of": ("none", "none"),
}


@dataclass(frozen=True)
class Engine:
    """How an engine's flags are called, and its parsers; what is missing in them it can't read, or reads unasked."""

    script: str
    program: str
    prefix: str
    tool_flag: str
    thought_flag: str
    tools: dict[Tools, str]
    thoughts: dict[Thoughts, str]


VLLM = Engine(
    "vllm/serve.sh",
    "vllm",
    "VLLM",
    "--tool-call-parser",
    "--reasoning-parser",
    {
        "hermes": "hermes",
        "llama": "llama3_json",
        "mistral": "mistral",
        "harmony": "openai",
        "gemma": "gemma4",
        "xml": "qwen3_coder",
    },
    {"think tags": "qwen3", "harmony": "openai_gptoss", "gemma": "gemma4", "always": "deepseek_r1"},
)
SGLANG = Engine(
    "sglang/serve.sh",
    "python3",
    "SGLANG",
    "--tool-call-parser",
    "--reasoning-parser",
    {
        "hermes": "qwen25",
        "llama": "llama3",
        "mistral": "mistral",
        "harmony": "gpt-oss",
        "gemma": "gemma4",
        "xml": "qwen3_coder",
    },
    {"think tags": "qwen3", "harmony": "gpt-oss", "gemma": "gemma4", "always": "deepseek-r1"},
)
TRTLLM = Engine(
    "trtllm/serve.sh",
    "trtllm-serve",
    "TRTLLM",
    "--tool_parser",
    "--reasoning_parser",
    {"hermes": "qwen3", "xml": "qwen3_coder"},
    {"think tags": "qwen3", "always": "deepseek-r1"},
)
NAMED = {"vllm": VLLM, "sglang": SGLANG, "trtllm": TRTLLM}


def given(call: Call, flag: str) -> str | None:
    """What the engine was told by a flag, if it was given."""
    return call.value(flag) if flag in call else None


def test_the_table_has_every_model_that_these_engines_serve() -> None:
    catalogue = load_catalogue()
    assert {m.id for m in catalogue if m.format == "safetensors" and m.refusal is None} == {*CATALOGUE}
    assert all(find_model(catalogue, name) for name in CATALOGUE)


@pytest.mark.parametrize("engine", NAMED.values(), ids=NAMED)
def test_each_model_is_read_in_the_format_it_writes(bench: Bench, engine: Engine) -> None:
    bench.stand_in(engine.program)
    models = CATALOGUE | OTHERS
    for name in models:
        bench.run(engine.script, MODEL=name)
    for (name, (tools, thoughts)), call in zip(models.items(), bench.calls(), strict=True):
        told = (given(call, engine.tool_flag), given(call, engine.thought_flag))
        assert told == (engine.tools.get(tools), engine.thoughts.get(thoughts)), name
        if engine is VLLM:
            assert ("--enable-auto-tool-choice" in call) == (tools != "none"), name


@pytest.mark.parametrize("engine", NAMED.values(), ids=NAMED)
def test_a_format_can_be_named_or_switched_off(bench: Bench, engine: Engine) -> None:
    bench.stand_in(engine.program)
    for value in ("mine", "none"):
        settings = {f"{engine.prefix}_TOOL_PARSER": value, f"{engine.prefix}_REASONING_PARSER": value}
        bench.run(engine.script, expect=0, MODEL="Qwen/Qwen3-8B", **settings)
    named, off = bench.calls()
    assert (named.value(engine.tool_flag), named.value(engine.thought_flag)) == ("mine", "mine")
    assert not {engine.tool_flag, engine.thought_flag, "--enable-auto-tool-choice"} & {*off.argv}


@pytest.mark.slow
@pytest.mark.vllm
def test_vllm_has_every_parser_that_it_is_told_of() -> None:
    installed("vllm")
    asked = (
        "import json; from vllm.tool_parsers import ToolParserManager as T; from vllm.reasoning import ReasoningParserManager as R;"
        " print('names:' + json.dumps([T.list_registered(), R.list_registered()]))"
    )
    done = subprocess.run(
        [ENGINES / "vllm/bin/python", "-c", asked], capture_output=True, text=True, timeout=300, check=True
    )
    tools, thoughts = json.loads(done.stdout.split("names:")[1])
    assert {*VLLM.tools.values()} <= {*tools}
    assert {*VLLM.thoughts.values()} <= {*thoughts}


def test_every_parser_of_a_script_stands_in_the_table() -> None:
    for engine in NAMED.values():
        text = (LLM / engine.script).read_text(encoding="utf-8")
        echoed = [line.split("echo ")[1].split(" ;;")[0].split() for line in text.splitlines() if ") echo " in line]
        assert {tool for tool, _ in echoed} - {"none"} == {*engine.tools.values()}
        assert {thought for _, thought in echoed} - {"none"} == {*engine.thoughts.values()}
