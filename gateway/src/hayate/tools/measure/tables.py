"""A record as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hayate.language import Language
from hayate.tools.measure.comparison import METRICS, Metric, Pair, differences, pairs
from hayate.tools.measure.record import ModelFigures, Record, Spread
from hayate.tools.measure.words import amount, asked, reason, seconds, word

Kind = Literal["better", "worse", ""]
STYLES: Mapping[Kind, str] = {"better": "green", "worse": "red", "": "default"}
SAME = 1.03
"""Ratios nearer to 1 than this are noise."""


def print_record(record: Record, language: Language, out: Console) -> None:
    """Every model, a row each; then the failures."""
    out.print(f"[bold]{escape(record.label)}[/bold]  {escape(record.settings.url)}  {record.local_date}")
    stopped = "" if record.complete else f"  [yellow]{word('incomplete', language)}[/yellow]"
    out.print(f"[dim]{escape(asked(record, language))}[/dim]{stopped}")
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(word("model", language), overflow="fold")
    headings = [f"{word(name, language)}\np50 / p95" for name in ("ttft", "tpot", "total")]
    headings += [f"{word('speed', language)}\n{word('stream_all', language)}", word("requests", language)]
    for heading in (*headings, word("failed", language)):
        table.add_column(heading, justify="right", no_wrap=True)
    for each in record.models:
        table.add_row(*_row(each, language))
    out.print(table)
    _print_failures(record, language, out)


def _row(each: ModelFigures, language: Language) -> tuple[str, ...]:
    approximate = "≈" if each.tokens_from != "usage" and each.succeeded else ""
    stream = each.stream_tokens_per_s.p50 if each.stream_tokens_per_s else None
    failed = word("of", language, failed=each.failed, calls=each.calls)
    return (
        escape(each.model),
        _span(each.ttft_s),
        approximate + _span(each.tpot_s),
        _span(each.total_s),
        f"{approximate}{amount(stream)} / {amount(each.tokens_per_s)}",
        amount(each.requests_per_s),
        f"[red]{failed}[/red]" if each.failed else failed,
    )


def _span(spread: Spread | None) -> str:
    return f"{seconds(spread.p50)} / {seconds(spread.p95)}" if spread else "—"


def _print_failures(record: Record, language: Language, out: Console) -> None:
    if not record.failed:
        return
    out.print(f"\n[bold red]{word('failures', language)}[/bold red]")
    for each in record.models:
        for failure in each.failures:
            detail = f": {escape(failure.detail)}" if failure.detail else ""
            out.print(f"  {escape(each.model)}  {failure.count} x {escape(reason(failure.reason, language))}{detail}")


def print_comparison(before: Record, after: Record, language: Language, out: Console) -> None:
    """Every pair, a table each."""
    names = series_names(before, after, language)
    if changed := differences(before, after):
        out.print(f"\n[yellow]{word('different', language)}[/yellow]: {escape('; '.join(changed))}")
    for pair in pairs(before, after):
        table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
        table.add_column(word("figure", language))
        for name, model in zip(names, (pair.before.model, pair.after.model), strict=True):
            table.add_column(f"{escape(name)}\n[dim]{escape(model)}[/dim]", justify="right", overflow="fold")
        table.add_column(word("ratio", language), justify="right", no_wrap=True)
        for metric in METRICS:
            shown = (show(metric, metric.of(pair.before)), show(metric, metric.of(pair.after)))
            text, kind = verdict(pair, metric, language)
            table.add_row(title(metric, language), *shown, f"[{STYLES[kind]}]{text}[/]")
        out.print()
        out.print(table)


def series_names(before: Record, after: Record, language: Language) -> Sequence[str]:
    """What the two runs are called: their labels, with "before" and "after" where those are the same."""
    if before.label != after.label:
        return before.label, after.label
    return f"{before.label} ({word('before', language)})", f"{after.label} ({word('after', language)})"


def title(metric: Metric, language: Language) -> str:
    """The figure's name with its percentile."""
    return f"{word(metric.name, language)}{f' {metric.percent}' if metric.percent else ''}"


def show(metric: Metric, value: float | None) -> str:
    """A figure with its unit."""
    return seconds(value) if metric.lower_is_better else amount(value)


def verdict(pair: Pair, metric: Metric, language: Language) -> tuple[str, Kind]:
    """How the figure has changed, in words, and which way."""
    gain = pair.gain(metric)
    if gain is None:
        return "—", ""
    if max(gain, 1 / gain) < SAME:
        return word("same", language), ""
    if gain > 1:
        return word("faster", language, ratio=amount(gain)), "better"
    return word("slower", language, ratio=amount(1 / gain)), "worse"
