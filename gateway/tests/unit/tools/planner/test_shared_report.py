"""What is printed of several models, in both languages and as values."""

from __future__ import annotations

import json

import pytest

from hayate.language import Language
from hayate.tools.planner.shared import SharedPlan
from hayate.tools.planner.shared_report import print_shared, shared_values
from tests.unit.tools.planner.sharing import room, shared, stuck

Capture = pytest.CaptureFixture[str]


def told(plan: SharedPlan, capture: Capture, language: Language = "en") -> list[str]:
    print_shared(plan, language)
    return [" ".join(line.split()) for line in capture.readouterr().out.splitlines()]


def test_turns_are_told_row_by_row(capsys: Capture) -> None:
    said = told(shared(), capsys)
    assert said[:6] == [
        "vLLM, 24 GiB",
        "△ they take turns",
        "weights takes for KV fit whole",
        "model GiB GiB GiB at once ones asleep",
        "qwen2.5-7b bf16 14.2 22.1 6.9 63 15 level 1",
        "bakeneko-32b awq 18.0 22.1 3.0 5 1 level 1",
    ]
    assert said[-2].startswith("VLLM_SERVER_DEV_MODE=1 vllm serve Qwen/Qwen2.5-7B-Instruct --max-model-len 8192")
    assert said[-2].endswith(" --enable-sleep-mode")
    assert any(line.startswith("note: A sleeping engine keeps about 1.2 GiB of the GPU") for line in said)


def test_the_same_in_japanese(capsys: Capture) -> None:
    said = told(shared(), capsys, "ja")
    assert said[1] == "△ 交代で使います"
    assert said[4] == "qwen2.5-7b bf16 14.2 22.1 6.9 63 15 レベル1"
    assert any(line.startswith("参考: スリープ中のエンジンもGPUを約1.2 GiB") for line in said)


def test_those_that_are_loaded_together_are_named(capsys: Capture) -> None:
    said = told(shared("qwen2.5-7b,qwen2.5-14b,bakeneko-32b"), capsys)
    assert "loaded together: qwen2.5-7b, qwen2.5-14b" in said


def test_what_all_fits_says_so_and_has_nothing_of_sleep(capsys: Capture) -> None:
    said = told(shared(where=room("48GiB")), capsys)
    assert said[1] == "✔ all fit together and stay loaded"
    assert "asleep" not in said[3]
    assert "--enable-sleep-mode" not in said[-1]


def test_what_does_not_fit_names_the_model_and_has_no_flags(capsys: Capture) -> None:
    assert told(shared(where=room("16GiB")), capsys) == [
        "vLLM, 16 GiB",
        "✘ does not fit",
        "bakeneko-32b: missing 6.35 GiB",
    ]


def test_what_could_not_sleep_is_not_called_a_plan(capsys: Capture) -> None:
    said = told(stuck(), capsys)
    assert said[1] == "— can't take turns like this"
    assert "flags" not in said


def test_one_server_for_all_is_one_command(capsys: Capture) -> None:
    said = told(shared(where=room(engine="ollama")), capsys)
    assert said[-2:] == ["flags", "OLLAMA_CONTEXT_LENGTH=8192 OLLAMA_NUM_PARALLEL=1 ollama serve"]


def test_no_line_of_the_table_is_wider_than_80_columns(capsys: Capture) -> None:
    for language in ("en", "ja"):
        print_shared(shared("qwen2.5-7b,qwen2.5-14b,bakeneko-32b"), language)
        rows = capsys.readouterr().out.splitlines()[2:7]
        assert max(len(row.rstrip()) for row in rows) <= 72


def test_a_plan_for_programs_has_every_figure() -> None:
    values = shared_values(shared())
    assert json.loads(json.dumps(values)) == values
    assert values["groups"] == [["qwen2.5-7b"], ["bakeneko-32b"]]
    smart = values["models"][1]
    assert (smart["sleep_level"], smart["typical_sequences"], smart["sequences"]) == (1, 5, 1)
    assert smart["memory_bytes"] == smart["loaded_bytes"] - smart["asleep_bytes"]
    assert values["gpu"]["shared_bytes"] >= smart["memory_bytes"]


def test_a_plan_that_fails_is_told_to_programs_too() -> None:
    values = shared_values(shared(where=room("16GiB")))
    assert (values["works"], values["groups"], [*values["short_bytes"]]) == (False, None, ["bakeneko-32b"])
