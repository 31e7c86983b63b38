"""The tables that a person reads: a cell for each known figure, in English and Japanese."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from hayate.language import Language
from hayate.tools.measure.calls import MeasuredCall
from hayate.tools.measure.comparison import METRICS, Pair
from hayate.tools.measure.figures import figures_of
from hayate.tools.measure.record import ModelFigures, Record
from hayate.tools.measure.tables import print_comparison, print_record, series_names, show, title, verdict
from tests.unit.tools.measure.measured import call, failed, record

TTFT_P50, TTFT_P95, *_, REQUESTS = METRICS


def told(number: int = 1, **changes: Any) -> MeasuredCall:
    """A call whose tokens the server counted."""
    return call(number, tokens_told=True, **changes)


def figures(model: str, factor: float = 1.0) -> ModelFigures:
    """Figures of a model `factor` times as fast as the usual one."""
    return figures_of(model, [told(total_s=1 / factor, ttft_s=0.2 / factor)], wall_s=1 / factor)


def console(*, colours: bool = False) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(
        file=written, width=160, highlight=False, force_terminal=colours, color_system="standard" if colours else None
    ), written


def printed(run: Record, language: Language = "en", *, colours: bool = False) -> list[str]:
    out, written = console(colours=colours)
    print_record(run, language, out)
    return [line.rstrip() for line in written.getvalue().splitlines()]


def compared(before: Record, after: Record, language: Language = "en", *, colours: bool = False) -> list[str]:
    out, written = console(colours=colours)
    print_comparison(before, after, language, out)
    return [line.rstrip() for line in written.getvalue().splitlines()]


def cells(lines: list[str], first: str) -> list[str]:
    """The cells of the row that begins with `first`."""
    (row,) = [line for line in lines if line.startswith(f"{first}  ")]
    return parts(row)


def parts(line: str) -> list[str]:
    """What stands in a line: columns have two spaces between."""
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_a_row_has_every_figure_of_its_model() -> None:
    lines = printed(record(figures_of("fast", [told(1), told(2, total_s=1.8, ttft_s=1.0)], wall_s=2.0)))
    assert cells(lines, "fast") == [
        "fast",
        "600 ms / 960 ms",
        "100 ms / 100 ms",
        "1.4 s / 1.76 s",
        "10 / 9",
        "1",
        "0 of 2",
    ]


def test_headings_say_which_figure_and_which_percentile() -> None:
    en, ja = printed(record(figures("fast"))), printed(record(figures("fast")), "ja")
    assert parts(en[2]) == ["first output", "per token", "whole answer", "tokens/s"]
    assert parts(en[3]) == ["model", *["p50 / p95"] * 3, "one / all", "requests/s", "failed"]
    assert parts(ja[2]) == ["最初の出力まで", "1トークンあたり", "回答全体", "トークン/秒"]
    assert parts(ja[3]) == ["モデル", *["p50 / p95"] * 3, "1本 / 合計", "リクエスト/秒", "失敗"]


def test_the_head_says_who_was_measured_when_and_how() -> None:
    run = record(figures("fast"), label="before the change")
    first, second, *_ = printed(run)
    assert first == f"before the change  http://127.0.0.1:8080  {run.local_date}"
    assert second == "32 calls a model, 4 at a time, up to 128 tokens each; prompts: built-in-ja/1 (32)"


def test_a_run_that_was_stopped_says_so() -> None:
    assert printed(record(figures("fast"), complete=False))[1].endswith("(32)  stopped before the end")
    assert printed(record(figures("fast"), complete=False), "ja")[1].endswith("途中で停止")
    assert "stopped" not in printed(record(figures("fast")))[1]


def test_tokens_that_were_counted_here_are_marked_as_approximate() -> None:
    row = cells(printed(record(figures_of("fast", [call()], 1.0))), "fast")
    assert row[2] == "≈100 ms / 100 ms"
    assert row[4] == "≈10 / 9"
    assert "≈" not in "".join(printed(record(figures("fast"))))


def test_a_model_that_never_answered_has_dashes_and_its_failures_in_words() -> None:
    gone = figures_of("smart", [failed("status_503", "queue full"), failed("connect", number=2)], 1.0)
    lines = printed(record(figures("fast"), gone))
    assert cells(lines, "smart") == ["smart", "—", "—", "—", "— / —", "—", "2 of 2"]
    assert lines[-3:] == ["Failed calls", "  smart  1 x 503: queue full", "  smart  1 x no connection"]
    assert printed(record(gone), "ja")[-3:] == [
        "失敗した呼び出し",
        "  smart  1 x 503: queue full",
        "  smart  1 x 接続できません",
    ]


def test_without_failures_nothing_is_said_of_them() -> None:
    assert not any("Failed calls" in line for line in printed(record(figures("fast"))))


def test_only_failures_are_red() -> None:
    one = figures_of("smart", [told(1), failed("cut", number=2)], 1.0)
    red = "\x1b[31m"
    assert f"{red}1 of 2" in "".join(printed(record(one), colours=True))
    assert red not in "".join(printed(record(figures("fast")), colours=True))


def test_names_that_look_like_markup_are_shown_as_they_are() -> None:
    trap = "[red]x[/red]"
    run = record(figures_of(trap, [failed("status_500", trap)], 1.0), label=trap)
    lines = printed(run)
    assert lines[0].startswith(trap)
    assert parts(lines[4])[0] == trap
    assert lines[-1] == f"  {trap}  1 x 500: {trap}"
    assert any(trap in line for line in compared(run, run))


def test_a_comparison_has_a_row_for_each_figure_with_both_values_and_how_it_changed() -> None:
    lines = compared(record(figures("old"), label="70B"), record(figures("fast", 2.0), label="7B"))
    assert parts(lines[1]) == ["70B", "7B"]
    assert parts(lines[2]) == ["figure", "old", "fast", "ratio"]
    assert cells(lines, "first output p50") == ["first output p50", "200 ms", "100 ms", "2x as fast"]
    assert cells(lines, "first output p95") == ["first output p95", "200 ms", "100 ms", "2x as fast"]
    assert cells(lines, "requests/s") == ["requests/s", "1", "2", "2x as fast"]
    assert sum("2x as fast" in line for line in lines) == len(METRICS)


def test_a_comparison_in_japanese_tells_what_became_slower() -> None:
    lines = compared(record(figures("a"), label="前"), record(figures("a", 0.5), label="後"), "ja")
    assert cells(lines, "最初の出力まで p50") == ["最初の出力まで p50", "200 ms", "400 ms", "約2倍遅い"]


def test_better_is_green_and_worse_is_red() -> None:
    slow, fast = record(figures("a"), label="x"), record(figures("a", 2.0), label="y")
    assert "\x1b[32m2x as fast" in "".join(compared(slow, fast, colours=True))
    assert "\x1b[31m2x as slow" in "".join(compared(fast, slow, colours=True))
    same = "".join(compared(slow, slow, colours=True))
    assert "\x1b[32m" not in same
    assert "\x1b[31m" not in same


def test_settings_that_differ_are_told_above_the_comparison() -> None:
    before, after = record(figures("a")), record(figures("a"))
    assert not any("not measured alike" in line for line in compared(before, after))
    busier = record(figures("a"), settings=after.settings.model_copy(update={"concurrency": 8, "calls": 64}))
    assert "not measured alike: concurrency: 4, 8; calls: 32, 64" in compared(before, busier)
    assert "測定条件の違い: concurrency: 4, 8; calls: 32, 64" in compared(before, busier, "ja")


def test_models_without_a_counterpart_are_not_compared() -> None:
    two = record(figures("a"), figures("b"))
    assert compared(two, record(figures("c"))) == []


def test_runs_of_the_same_label_are_told_apart() -> None:
    one, other = record(figures("a"), label="x"), record(figures("a"), label="y")
    assert series_names(one, other, "en") == ("x", "y")
    assert series_names(one, one, "en") == ("x (before)", "x (after)")
    assert series_names(one, one, "ja") == ("x (変更前)", "x (変更後)")


def test_a_figure_has_its_percentile_in_its_title_and_its_unit_in_its_value() -> None:
    assert title(TTFT_P50, "en") == "first output p50"
    assert title(TTFT_P95, "ja") == "最初の出力まで p95"
    assert title(REQUESTS, "en") == "requests/s"
    assert show(TTFT_P50, 0.25) == "250 ms"
    assert show(REQUESTS, 0.25) == "0.25"
    assert show(REQUESTS, None) == "—"


@given(st.floats(min_value=1.1, max_value=1000))
def test_faster_is_better_and_slower_is_worse_in_every_figure(factor: float) -> None:
    pair = Pair(figures("a"), figures("a", factor))
    back = Pair(pair.after, pair.before)
    for metric in METRICS:
        assert verdict(pair, metric, "en")[1] == "better"
        assert verdict(back, metric, "ja")[1] == "worse"


def test_hardly_different_is_the_same() -> None:
    pair = Pair(figures("a"), figures("a", 1.01))
    assert {verdict(pair, metric, "en") for metric in METRICS} == {("the same", "")}
    assert {verdict(replace(pair, after=pair.before), metric, "ja") for metric in METRICS} == {("同じ", "")}


def test_what_was_not_measured_has_no_verdict() -> None:
    pair = Pair(figures_of("a", [failed("cut")], 1.0), figures("a"))
    assert {verdict(pair, metric, "en") for metric in METRICS} == {("—", "")}


@pytest.mark.parametrize(
    ("factor", "said"), [(1.029, "the same"), (1.031, "1.03x as fast"), (1 / 1.031, "1.03x as slow")]
)
def test_three_percent_is_where_noise_ends(factor: float, said: str) -> None:
    assert verdict(Pair(figures("a"), figures("a", factor)), TTFT_P50, "en")[0] == said
