"""What a plot shows, as plain data: a panel a figure, a bar a model and run. How it is drawn is `chart_html` and `chart_png`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from hayate.language import Language
from hayate.tools.measure.comparison import Metric
from hayate.tools.measure.record import ModelFigures, Record, Spread
from hayate.tools.measure.tables import series_names, show
from hayate.tools.measure.words import word

PANELS = (
    Metric("ttft", "ttft_s", True, "p50"),
    Metric("tpot", "tpot_s", True, "p50"),
    Metric("total", "total_s", True, "p50"),
    Metric("stream_tokens", "stream_tokens_per_s", False, "p50"),
    Metric("tokens", "tokens_per_s", False),
    Metric("requests", "requests_per_s", False),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One model of one run. `series` is 0 for the earlier run and 1 for this one, or always 1 when there is only one."""

    model: str
    run: str
    series: int
    value: float | None
    low: float | None
    high: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure of everything that was measured."""

    title: str
    hint: str
    lower_is_better: bool
    bars: tuple[Bar, ...]

    @property
    def edge(self) -> float:
        """The largest value drawn, so that a bar's length is its share of it; 1 when there is nothing."""
        ends = [end for bar in self.bars for end in (bar.value, bar.high) if end is not None]
        return max(ends, default=1.0) or 1.0


def panels_of(record: Record, before: Record | None, language: Language) -> Sequence[Panel]:
    """The panels, each with the same bars in the same order: the earlier run's first."""
    if before is None:
        runs = [(record.label, 1, record)]
    else:
        names = series_names(before, record, language)
        runs = [(names[0], 0, before), (names[1], 1, record)]
    return [_panel(metric, runs, language) for metric in PANELS]


def shortened(name: str, most: int = 44) -> str:
    """A name that has room beside its bar, in columns (a kanji takes two): the end of a path says more than its start."""
    if cell_len(name) <= most:
        return name
    while cell_len(name) > most - 1:
        name = name[1:]
    return f"…{name}"


def _panel(metric: Metric, runs: Sequence[tuple[str, int, Record]], language: Language) -> Panel:
    bars = tuple(_bar(metric, each, run, series) for run, series, record in runs for each in record.models)
    hint = word("lower" if metric.lower_is_better else "higher", language)
    return Panel(word(metric.name, language), hint, metric.lower_is_better, bars)


def _bar(metric: Metric, figures: ModelFigures, run: str, series: int) -> Bar:
    spread = getattr(figures, metric.field)
    low, high = (spread.p5, spread.p95) if isinstance(spread, Spread) else (None, None)
    value = metric.of(figures)
    return Bar(figures.model, run, series, value, low, high, show(metric, value))
