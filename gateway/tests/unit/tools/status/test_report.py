"""A gateway's status for people, in columns."""

from __future__ import annotations

import time
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from hayate.language import Language
from hayate.terminal import Paint, width
from hayate.tools.status.answer import read_answer
from hayate.tools.status.report import Report, duration
from tests.support.tables import table
from tests.unit.tools.loading.told import FAILED, READY, SLEEPS
from tests.unit.tools.status.answers import AT, DOWN, WELL, deployment

URL = "http://127.0.0.1:8080"
ANY_TEXT = st.text(st.characters(codec=None), max_size=120)


def shown(
    values: dict[str, Any], language: Language = "en", columns: int = 80, paint: Paint | None = None
) -> list[str]:
    report = Report(language, AT, columns, paint or Paint())
    return list(report.lines(read_answer(values, language), URL))


def test_a_model_that_comes_and_goes_is_told_with_why_it_is_not_there() -> None:
    values = {
        "deployments": [deployment(WELL, name="fast"), deployment(DOWN, name="smart"), deployment(DOWN, name="broken")],
        "engines": [READY, SLEEPS, FAILED],
    }
    assert shown(values)[2:] == [
        "deployment, replica                              state            calls  queued",
        "fast (vllm, qwen)                                ready                2       1",
        "    gpu0 9.5 GiB; a call asked for it, 2m12s ago; loads in 34.2s; pid 4242",
        "  http://127.0.0.1:8000                          up                   2",
        "smart (vllm, qwen)                               unloaded             2       1",
        "    gpu0 19.0 GiB; gave way to another model, 5m12s ago; loads in 34.2s",
        "broken (vllm, qwen)                              failed               2       1",
        "    gpu0 9.5 GiB; ended by itself, 4s ago; loads in 34.2s; tried again in 8s",
        "    last error: fast ended (exit status 1): out of memory on the GPU. Give it",
        "    less to hold.",
    ]
    japanese = shown(values, "ja")
    assert japanese[6].split()[3:] == ["未読み込み", "2", "1"]
    assert max(map(width, japanese)) < 80


def test_every_replica_has_a_line_and_its_last_error_stands_below() -> None:
    values = {"version": "0.1.0", "uptime_s": 8000, "aliases": {"default": ["small"]}}
    at = time.strftime("%H:%M:%S", time.localtime(AT - 10))
    assert shown({**values, "deployments": [deployment(WELL, DOWN)]}) == [
        "疾風 Hayate 0.1.0  http://127.0.0.1:8080  degraded  up for 2 h 13 min",
        "",
        "deployment, replica                              state            calls  queued",
        "small (vllm, qwen)                               degraded             2       1",
        "  http://127.0.0.1:8000                          up                   2",
        "  http://127.0.0.1:8001                          unreachable          0",
        f"    last error {at}: nothing listens there",
        "",
        "aliases",
        "  default → small",
    ]
    assert shown({**values, "deployments": [deployment(WELL, DOWN)]}, "ja") == [
        "疾風 Hayate 0.1.0  http://127.0.0.1:8080  一部利用不可  稼働時間: 2時間13分",
        "",
        "デプロイメント、レプリカ                         状態            処理中    待ち",
        "small (vllm, qwen)                               一部利用不可         2       1",
        "  http://127.0.0.1:8000                          応答あり             2",
        "  http://127.0.0.1:8001                          応答なし             0",
        f"    最後のエラー {at}: nothing listens there",
        "",
        "エイリアス",
        "  default → small",
    ]


def test_an_error_of_another_day_has_its_day_and_a_reason_is_not_said_twice() -> None:
    old = {**DOWN, "reason": "nothing listens", "last_error": {"text": "nothing listens", "at": AT - 200_000}}
    day = time.strftime("%Y-%m-%d", time.localtime(AT - 200_000))
    lines = shown({"deployments": [deployment(old)]})
    assert lines[-2] == "    nothing listens"
    assert lines[-1].startswith(f"    last error {day} ")
    assert not lines[-1].endswith("nothing listens")


@table("language", get_args(Language))
@table("columns", [20, 80, 100, 500])
def test_no_line_is_wider_than_the_terminal(language: Language, columns: int) -> None:
    long = {**DOWN, "url": "http://" + "a" * 300, "last_error": {"text": "word " * 200, "at": AT}}
    lines = shown({"deployments": [deployment(WELL, long, name="日本語のとても長い名前" * 9)]}, language, columns)
    assert max(map(width, lines[2:])) <= max(80, columns)


@given(text=ANY_TEXT, language=st.sampled_from(get_args(Language)))
def test_nothing_of_a_gateways_or_an_engines_acts_on_the_terminal(text: str, language: Language) -> None:
    replica = {
        "url": text,
        "state": text,
        "healthy": False,
        "reason": text,
        "last_error": {"text": text + "!", "at": AT},
    }
    values = {
        "version": text,
        "aliases": {text: [text]},
        "deployments": [{**deployment(replica, name=text), "model": text}],
    }
    assert all(line.isprintable() for line in shown(values, language))


def test_what_is_not_told_is_left_open() -> None:
    lines = shown({"deployments": [{"replicas": [{"url": "http://e", "healthy": True}]}]})
    assert lines[0] == "疾風 Hayate  http://127.0.0.1:8080  ready"
    assert lines[3].split() == ["?", "(?)", "ready", "-", "-"]
    assert shown({"deployments": []})[-1] == "no deployments"


def test_colours_say_how_it_is() -> None:
    text = "\n".join(shown({"deployments": [deployment(WELL, DOWN)]}, paint=Paint(True)))
    assert "\x1b[33mdegraded\x1b[0m" in text
    assert "\x1b[31munreachable" in text


@table(
    ("seconds", "english", "japanese"),
    [
        (0.4, "0 s", "0秒"),
        (59, "59 s", "59秒"),
        (60, "1 min", "1分"),
        (3725, "1 h 2 min", "1時間2分"),
        (90_000, "1 d 1 h", "1日1時間"),
        (86_400, "1 d", "1日"),
    ],
)
def test_how_long_it_runs_is_told_in_two_units(seconds: float, english: str, japanese: str) -> None:
    assert duration(seconds).en == f"up for {english}"
    assert duration(seconds).ja == f"稼働時間: {japanese}"
