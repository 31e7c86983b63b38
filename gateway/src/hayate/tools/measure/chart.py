"""What a plot shows, as plain data: a panel a figure, a bar a model and run. How it is drawn is `chart_html` and `chart_png`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from hayate.language import Language
from hayate.tools.measure.comparison import Metric, pairs
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
COLORS = ("#00798c", "#d1495b", "#c98a1b", "#5b8c5a", "#8d6cab", "#30638e", "#a4552e", "#6b7080")
"""One a model, told apart by most eyes on white and on black; from the ninth on again from the start."""
PALE = 0.45
"""How much of its colour a bar of the earlier run has."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One model of one run. `series` is 0 for the earlier run and 1 for this one, or always 1 when there is only one."""

    model: str
    run: str
    series: int
    color: int
    """Of the model, whichever run it is of."""
    group: int
    """Bars of one group are compared with each other."""
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
    """The panels, each with the same bars in the same order: side by side what is compared, the earlier run's first."""
    names = (record.label, record.label) if before is None else series_names(before, record, language)
    rows = [[(1, each)] for each in record.models] if before is None else _rows(before, record)
    colors = {model: number for number, model in enumerate(dict.fromkeys(each.model for each in record.models))}
    for row in rows:
        for _, figures in row:
            colors.setdefault(figures.model, len(colors))

    def panel(metric: Metric) -> Panel:
        bars = tuple(
            _bar(metric, figures, names[series], (series, colors[figures.model], group))
            for group, row in enumerate(rows)
            for series, figures in row
        )
        hint = word("lower" if metric.lower_is_better else "higher", language)
        return Panel(word(metric.name, language), hint, metric.lower_is_better, bars)

    return [panel(metric) for metric in PANELS]


def _rows(before: Record, record: Record) -> list[list[tuple[int, ModelFigures]]]:
    """Each model of the later run beside what it is compared with; then what of the earlier run is compared with none."""
    base = {id(pair.after): pair.before for pair in pairs(before, record)}
    rows = [[*([(0, base[id(each)])] if id(each) in base else []), (1, each)] for each in record.models]
    compared = {id(each) for each in base.values()}
    return [*rows, *([(0, each)] for each in before.models if id(each) not in compared)]


def shortened(name: str, most: int = 44) -> str:
    """A name that has room beside its bar, in columns (a kanji takes two): the end of a path says more than its start."""
    if cell_len(name) <= most:
        return name
    while cell_len(name) > most - 1:
        name = name[1:]
    return f"…{name}"


def _bar(metric: Metric, figures: ModelFigures, run: str, place: tuple[int, int, int]) -> Bar:
    spread = getattr(figures, metric.field)
    low, high = (spread.p5, spread.p95) if isinstance(spread, Spread) else (None, None)
    value = metric.of(figures)
    return Bar(figures.model, run, *place, value, low, high, show(metric, value))
