"""Plans and the catalogue as a person reads them, line by line, and as programs do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hayate.language import Language, Text
from hayate.tools.planner.arithmetic import GIB, KIB, Attention
from hayate.tools.planner.facts import ModelFacts
from hayate.tools.planner.plan import Plan, Verdict
from hayate.tools.planner.report import (
    MARKS,
    ROOMY,
    VERDICTS,
    WORDS,
    gib,
    kib,
    model_values,
    plan_values,
    print_models,
    print_plan,
    print_plans,
    word,
)
from tests.unit.tools.planner.planned import FULL, facts, plan

FITS = plan()
FEWER = plan(gpu="13.5GiB")
NO = plan(gpu="12GiB")
UNUSABLE = plan(engine="ollama")
PARTLY = plan(facts(id="m.gguf", format="gguf"), gpu="9GiB")
SLIDING = Attention(8, 4, 64, 64, window=512)
LINEAR = Attention(24, state_bytes=1000)

Capture = pytest.CaptureFixture[str]


def lines(capture: Capture) -> list[str]:
    """What was printed, with single spaces."""
    return [" ".join(line.split()) for line in capture.readouterr().out.splitlines()]


def told(made: Plan, capture: Capture, language: Language = "en") -> list[str]:
    print_plan(made, language)
    return lines(capture)


def table(made: Sequence[Plan], capture: Capture, language: Language = "en") -> list[str]:
    print_plans(made, language)
    return lines(capture)


def catalogue(models: Sequence[ModelFacts], capture: Capture, language: Language = "en") -> list[str]:
    print_models(models, language)
    return lines(capture)


def test_a_plan_that_fits_is_told_row_by_row(capsys: Capture) -> None:
    assert told(FITS, capsys) == [
        "own/round-numbers (bf16) vLLM, 24 GiB",
        "✔ fits",
        "GPU memory 24.00 GiB x 0.9 = 21.60 GiB for the engine",
        "CUDA context 0.50 GiB outside the engine's share",
        "weights 10.00 GiB",
        "activations, CUDA graphs 0.49 GiB 0.32 GiB + 0.16 GiB",
        "left for the KV cache 11.11 GiB 91027 tokens",
        "KV per token 128 KiB",
        "KV of one sequence 1.00 GiB 8192 tokens",
        "KV of a typical one 0.25 GiB 2048 tokens",
        "KV of all 8 sequences 2.00 GiB",
        "left over 9.11 GiB",
        "sequences that fit 44 of 8",
        "of the full context 11",
        "longest alone 32768 tokens",
        "",
        "flags",
        "vllm serve own/round-numbers --max-model-len 8192 --gpu-memory-utilization 0.9 --max-num-seqs 8",
    ]


def test_the_same_plan_in_japanese(capsys: Capture) -> None:
    assert told(FITS, capsys, "ja") == [
        "own/round-numbers (bf16) vLLM, 24 GiB",
        "✔ 収まります",
        "GPUメモリー 24.00 GiB x 0.9 = エンジン用 21.60 GiB",
        "CUDAコンテキスト 0.50 GiB エンジンの割り当ての外",
        "重み 10.00 GiB",
        "アクティベーション・CUDAグラフ 0.49 GiB 0.32 GiB + 0.16 GiB",
        "KVキャッシュに残る量 11.11 GiB 91027 トークン",
        "KV/トークン 128 KiB",
        "1件のKV 1.00 GiB 8192 トークン",
        "標準的な1件のKV 0.25 GiB 2048 トークン",
        "8件すべてのKV 2.00 GiB",
        "残り 9.11 GiB",
        "収まる同時実行数 44 / 8",
        "コンテキスト最大の場合 11",
        "単独時の最大長 32768 トークン",
        "",
        "起動オプション",
        "vllm serve own/round-numbers --max-model-len 8192 --gpu-memory-utilization 0.9 --max-num-seqs 8",
    ]


def test_what_does_not_fit_has_advice_and_no_flags(capsys: Capture) -> None:
    said = told(NO, capsys)
    assert said[1] == "✘ does not fit"
    assert "sequences that fit 0 of 8" in said
    assert said[-1] == "note: With --gpus 2, 8 sequences fit."
    assert "flags" not in said
    assert told(NO, capsys, "ja")[-1] == "参考: --gpus 2 にすると、8件が収まります。"


def test_what_fits_only_partly_is_warned_of_and_has_flags(capsys: Capture) -> None:
    said = told(PARTLY, capsys)
    assert said[1] == "▽ fits only partly"
    assert "warning: 21 of 33 layers fit on the GPU; the rest runs on the CPU, many times slower." in said
    assert said[-1] == "llama-server -m m.gguf -c 8192 -np 1 -ngl 21"
    assert any(line.startswith("警告: 33層中21層だけ") for line in told(PARTLY, capsys, "ja"))


def test_what_can_not_be_used_has_its_reason_and_no_figures(capsys: Capture) -> None:
    assert told(UNUSABLE, capsys) == [
        "own/round-numbers (bf16) Ollama, 24 GiB",
        "— not usable like this",
        "error: Ollama needs a GGUF file of this model; give its path to --model.",
    ]
    assert told(UNUSABLE, capsys, "ja")[-1].startswith("エラー: OllamaにはこのモデルのGGUFファイルが必要です。")


def test_the_fraction_of_tensorrt_llm_is_not_told_as_one_of_the_card(capsys: Capture) -> None:
    said = told(plan(engine="trtllm"), capsys)
    assert "GPU memory 24.00 GiB" in said
    assert "CUDA context 0.50 GiB" in said


def test_a_cards_name_and_how_many_of_them_stand_in_the_head(capsys: Capture) -> None:
    assert told(plan(gpu="rtx4090", gpus=2), capsys)[0] == "own/round-numbers (bf16) vLLM, 2 x rtx4090"


def test_a_command_is_quoted_as_a_shell_takes_it_and_never_folded(capsys: Capture) -> None:
    name = "/models/a folder/[bold]" + "x" * 200 + ".gguf"
    assert told(plan(facts(id=name, format="gguf")), capsys)[-1].startswith(f"llama-server -m '{name}' -c ")


def test_many_plans_are_a_row_each_with_a_legend(capsys: Capture) -> None:
    said = table((FITS, FEWER, NO, UNUSABLE, PARTLY), capsys)
    assert said == [
        "weights for KV KiB fit whole longest",
        "model engine GiB GiB /token at once ones alone",
        "✔ own/round-numbers vLLM 10.0 11.1 128 44 11 32768",
        "△ own/round-numbers vLLM 10.0 1.7 128 6 1 13600",
        "✘ own/round-numbers vLLM 10.0 0.3 128 — — —",
        "— own/round-numbers — 10.0 — 128 — — —",
        "▽ m.gguf llama.cpp 10.0 0.0 128 — — —",
        "",
        "✔ fits △ fits with fewer sequences ▽ fits only partly ✘ does not fit — not usable like this",
    ]


def test_many_plans_in_japanese(capsys: Capture) -> None:
    said = table((FITS,), capsys, "ja")
    assert said[0] == "重み KV用 KiB 同時 最大長 単独時の"
    assert said[1] == "モデル エンジン GiB GiB /token 実行数 の件数 最大長"
    assert said[-1].startswith("✔ 収まります △ 同時実行数を減らせば収まります ▽ 一部だけGPUに載ります")


def test_the_catalogue_has_weights_cache_context_licence_and_note(capsys: Capture) -> None:
    noted = facts(licence="Apache-2.0", note=Text("Good [at] code.", "コードが得意。"))
    assert catalogue([noted], capsys) == [
        "model GiB weights KV per token context licence note",
        "own/round-numbers 10.0 bf16 128 KiB 32768 Apache-2.0 Good [at] code.",
    ]
    assert catalogue([noted], capsys, "ja") == [
        "モデル GiB 重み KV/トークン コンテキスト ライセンス メモ",
        "own/round-numbers 10.0 bf16 128 KiB 32768 Apache-2.0 コードが得意。",
    ]


def test_why_no_engine_takes_a_model_stands_in_place_of_its_note(capsys: Capture) -> None:
    refused = facts(note=Text("Good.", "良い。"), refusal=Text("For TensorRT.", "TensorRT用。"))
    assert catalogue([refused], capsys)[-1].endswith("32768 For TensorRT.")
    assert catalogue([refused], capsys, "ja")[-1].endswith("32768 TensorRT用。")


def at_a_terminal(columns: int) -> str:
    """The heading of `hayate models` on a terminal of that width."""
    ours, theirs = os.openpty()
    env = {**os.environ, "COLUMNS": str(columns), "HAYATE_LANG": "en", "NO_COLOR": "1"}
    program = [sys.executable, "-c", "from hayate.cli import main; main()", "models"]
    with subprocess.Popen(program, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        said = b""
        try:
            while data := os.read(ours, 65536):
                said += data
        except OSError:  # the other end is closed: what Linux says instead of an end
            pass
        os.close(ours)
    assert process.returncode == 0
    return said.decode().splitlines()[0]


def test_a_narrow_terminal_is_spared_licences_and_notes() -> None:
    wide, narrow = at_a_terminal(ROOMY), at_a_terminal(ROOMY - 1)
    assert "licence" in wide
    assert "note" in wide
    assert "context" in narrow
    assert "licence" not in narrow
    assert "note" not in narrow


def test_a_model_for_programs_has_every_number() -> None:
    values = model_values(
        facts(
            attention=(FULL, SLIDING, LINEAR),
            family="round",
            licence="MIT",
            source="https://example.com",
            note=Text("Good.", "良い。"),
            assumptions=(Text("A.", "仮。"),),
        )
    )
    assert values == {
        "id": "own/round-numbers",
        "family": "round",
        "format": "safetensors",
        "weights": "bf16",
        "weight_bytes": 10 * GIB,
        "layers": 64,
        "attention": [
            {"layers": 32, "kv_heads": 8, "key_dim": 128, "value_dim": 128},
            {"layers": 8, "kv_heads": 4, "key_dim": 64, "value_dim": 64, "window": 512},
            {"layers": 24, "kv_heads": 0, "key_dim": 0, "value_dim": 0, "state_bytes": 1000},
        ],
        "heads": 32,
        "hidden": 4096,
        "vocab": 131072,
        "context_tokens": 32768,
        "kv_bytes_per_token_16bit": 136 * KIB,
        "licence": "MIT",
        "source": "https://example.com",
        "note": {"en": "Good.", "ja": "良い。"},
        "refusal": None,
        "assumptions": [{"en": "A.", "ja": "仮。"}],
    }


def test_a_plan_for_programs_has_every_figure() -> None:
    values = plan_values(FITS)
    assert values["gpu"] == {"name": "24 GiB", "memory_bytes": 24 * GIB, "count": 1}
    assert (values["model"], values["engine"], values["verdict"]) == ("own/round-numbers", "vllm", "fits")
    assert (values["context_tokens"], values["concurrency"], values["utilization"]) == (8192, 8, 0.9)
    assert (values["dtype"], values["kv_cache_dtype"]) == ("auto", "auto")
    assert sum(values["overhead_bytes"].values()) == FITS.overheads.total_bytes
    assert values["overhead_bytes"]["cuda_context"] == GIB // 2
    assert values["kv_bytes_per_sequence"] == GIB
    assert (values["kv_bytes"], values["left_bytes"]) == (2 * GIB, FITS.pool_bytes - 2 * GIB)
    assert (values["kv_pool_bytes"], values["kv_pool_tokens"]) == (FITS.pool_bytes, 91027)
    assert (values["sequences"], values["longest_context_tokens"]) == (11, 32768)
    assert (values["typical_tokens"], values["typical_sequences"]) == (2048, 44)
    assert values["kv_bytes_per_typical"] == GIB // 4
    assert values["remarks"] == []
    assert values["command"][:3] == ["vllm", "serve", "own/round-numbers"]
    assert values["env"]["VLLM_MAX_NUM_SEQS"] == "8"


def test_a_plan_that_can_not_run_has_remarks_and_no_command() -> None:
    values = plan_values(UNUSABLE)
    assert (values["command"], values["env"]) == (None, None)
    (remark,) = values["remarks"]
    assert (remark["level"], remark["code"]) == ("error", "needs-gguf")
    assert set(remark) == {"level", "code", "en", "ja"}


@pytest.mark.parametrize("made", [FITS, FEWER, NO, UNUSABLE, PARTLY], ids=lambda made: made.verdict)
def test_everything_for_programs_is_json(made: Plan) -> None:
    for values in (plan_values(made), model_values(made.model)):
        assert json.loads(json.dumps(values)) == values
    assert set(plan_values(made)) == set(plan_values(FITS))


def test_every_verdict_has_a_mark_of_its_own_and_words() -> None:
    assert set(MARKS) == set(VERDICTS) == set(get_args(Verdict))
    assert len(set(MARKS.values())) == len(MARKS)
    assert [made.verdict for made in (FITS, FEWER, PARTLY, NO, UNUSABLE)] == list(MARKS)


@pytest.mark.parametrize("key", [*WORDS])
def test_every_heading_is_in_both_languages(key: str) -> None:
    en, ja = word(key, "en"), word(key, "ja")
    assert bool(en) is bool(ja)
    assert en.isascii()
    assert not ja or not ja.isascii() or key == "of"


@pytest.mark.parametrize(
    ("size", "said"), [(0, "0.00 GiB"), (GIB, "1.00 GiB"), (1.5 * GIB, "1.50 GiB"), (-GIB // 2, "-0.50 GiB")]
)
def test_a_size_is_in_gib_with_two_decimals(size: float, said: str) -> None:
    assert gib(size) == said


@pytest.mark.parametrize(("size", "said"), [(0, "0 KiB"), (128 * KIB, "128 KiB"), (54.4 * KIB, "54.4 KiB")])
def test_a_tokens_cache_is_in_kib_and_whole_where_it_is_whole(size: float, said: str) -> None:
    assert kib(size) == said


@given(st.integers(0, 10_000))
def test_whole_kib_have_no_decimals(size: int) -> None:
    assert kib(size * KIB) == f"{size} KiB"


def test_a_model_that_keeps_nothing_has_room_for_all_and_no_tokens_to_count(capsys: Capture) -> None:
    said = told(plan(facts(attention=(Attention(32),))), capsys)
    assert "left for the KV cache 11.11 GiB" in said
    assert "KV per token 0 KiB" in said
    assert "sequences that fit 8 of 8" in said
