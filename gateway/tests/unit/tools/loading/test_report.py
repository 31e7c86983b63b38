"""Engines in columns, in both languages."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from hayate.language import Language
from hayate.terminal import Paint, width
from hayate.tools.loading.answer import read_engines, read_gpus
from hayate.tools.loading.report import Report, size_of
from tests.support.tables import table
from tests.unit.tools.loading.told import ELSEWHERE, FAILED, GIB, GPU, READY, SLEEPS

URL = "http://127.0.0.1:8080"
ANY_TEXT = st.text(st.characters(codec=None), max_size=60)


def shown(*told: dict[str, Any], language: Language = "en", columns: int = 80, paint: Paint | None = None) -> list[str]:
    report = Report(language, columns, paint or Paint())
    return list(report.lines(read_engines({"engines": [*told]}), {"fast": 123.44}, URL))


@table(
    ("language", "first", "last"),
    [
        ("en", "gpu0: 9.5 GiB of 23.0 GiB", "?: ? of ?"),
        ("ja", "gpu0: 23.0 GiB中9.5 GiBを使用", "?: ?中?を使用"),
    ],
)
def test_what_each_gpu_has_stands_above(language: Language, first: str, last: str) -> None:
    gpus = read_gpus({"gpus": [GPU, {**GPU, "name": "g" * 200, "used_bytes": 0}, {}]})
    lines = list(Report(language, 80, Paint()).lines([], {}, URL, gpus))
    assert (lines[2], lines[4], lines[5]) == (first, last, "")
    assert max(map(width, lines)) < 80


def test_everything_has_its_place_in_80_columns() -> None:
    assert shown(READY, SLEEPS, FAILED, ELSEWHERE) == [
        "疾風 Hayate  http://127.0.0.1:8080",
        "",
        "deployment                     state         calls waiting    tokens/s     idle",
        "fast (vllm, run)               ready             2       0       123.4        -",
        "    gpu0 9.5 GiB; a call asked for it, 2m12s ago; loads in 34.2s; pid 4242",
        "smart (vllm, sleep)            unloaded          0       1           -        -",
        "    gpu0 19.0 GiB; gave way to another model, 5m12s ago; loads in 34.2s",
        "broken (vllm, run)             failed            0       0           -        -",
        "    gpu0 9.5 GiB; ended by itself, 4s ago; loads in 34.2s; tried again in 8s",
        "    last error: fast ended (exit status 1): out of memory on the GPU. Give it",
        "    less to hold.",
        "remote (vllm)                  ready             0       0           -    12.3s",
    ]
    assert shown(READY, SLEEPS, FAILED, ELSEWHERE, language="ja") == [
        "疾風 Hayate  http://127.0.0.1:8080",
        "",
        "デプロイメント                 状態         処理中    待ち トークン/秒 アイドル",
        "fast (vllm, run)               準備完了          2       0       123.4        -",
        "    gpu0 9.5 GiB、呼び出しを受けて（2m12s前）、読み込み時間34.2s、pid 4242",
        "smart (vllm, sleep)            未読み込み        0       1           -        -",
        "    gpu0 19.0 GiB、別のモデルに譲った（5m12s前）、読み込み時間34.2s",
        "broken (vllm, run)             失敗              0       0           -        -",
        "    gpu0 9.5 GiB、異常終了（4s前）、読み込み時間34.2s、8s後に再試行",
        "    直近のエラー: fastが終了しました（終了コード1）: GPUのメモリーが不足してい",
        "    ます。",
        "remote (vllm)                  準備完了          0       0           -    12.3s",
    ]


def test_what_is_not_told_is_left_open() -> None:
    assert shown({})[3].split() == ["?", "(?)", "?", "-", "-", "-", "-"]
    assert shown()[3] == "no deployments"
    assert shown({**READY, "why": "new", "gpus": ["a", "b"], "pin": True, "pid": None, "last_load_s": None})[4] == (
        "    a, b 9.5 GiB each; pinned; not asked for yet"
    )


@table(("size", "text"), [(GIB * 19, "19.0 GiB"), (GIB, "1.0 GiB"), (GIB - 1, "1024 MiB"), (600 * 1024**2, "600 MiB")])
def test_memory_is_told_in_the_units_of_the_configuration(size: int, text: str) -> None:
    assert size_of(size) == text


@table("language", get_args(Language))
@table("columns", [20, 80, 100, 500])
def test_no_line_is_wider_than_the_terminal(language: Language, columns: int) -> None:
    long = {
        **FAILED,
        "name": "名前" * 40,
        "gpus": ["gpu"] * 40,
        "in_flight": 10**9,
        "waiting": 10**9,
        "idle_s": 1e9,
        "since_s": 1e9,
        "last_error": {"text": "word " * 90, "text_ja": "とても長い説明" * 40},
    }
    assert max(map(width, shown(long, language=language, columns=columns))) <= max(80, columns) - 1


@given(text=ANY_TEXT, language=st.sampled_from(get_args(Language)))
def test_nothing_of_an_engines_acts_on_the_terminal(text: str, language: Language) -> None:
    told = {
        **FAILED,
        **dict.fromkeys(("name", "backend", "how", "state", "why"), text),
        "gpus": [text],
        "last_error": {"text": text},
    }
    assert all(line.isprintable() for line in shown(told, language=language))
