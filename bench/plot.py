"""The picture beside the table: a panel a figure, a bar a contender (the median), a dot a round."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from bench.rounds import Results
from bench.verdicts import OURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = (
    ("paced", "gateway_us", "CPU µs per token\n64 paced streams"),
    ("burst", "gateway_us", "CPU µs per token\n16 burst streams"),
    ("plain", "gateway_us", "CPU µs per request\nnot streamed"),
    ("crowd", "gateway_us", "CPU µs per token\n2,000 streams"),
    ("latency", "p50_us", "µs per request, p50\n1 connection"),
    ("held", "kb_per_stream", "KB per open stream\n1,000 streams"),
)
FAR_OFF = 20
OURS_COLOUR, OTHER_COLOUR = "#d1495b", "#8d99ae"


def draw(results: Results, title: str, path: Path) -> None:
    """Write the picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 6.4), layout="constrained")
    rows = figure.subplots(2, 3)
    for axes, (scenario, key, heading) in zip(rows.flat, PANELS, strict=True):
        _panel(axes, results, scenario, key)
        axes.set_title(heading, fontsize=10)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=120)


def _panel(axes: Axes, results: Results, scenario: str, key: str) -> None:
    medians = {name: results.median(name, scenario, key) for name in results.labels}
    shown = {name: value for name, value in medians.items() if not math.isnan(value)}
    if not shown:
        axes.text(0.5, 0.5, "not measured", ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    names = list(reversed(shown))
    dots = {name: [each for each in results.values(name, scenario, key) if not math.isnan(each)] for name in names}
    near = [name for name in names if shown[name] <= FAR_OFF * min(shown.values())]
    # A contender far off the others runs out of the panel instead of flattening them.
    edge = 1.25 * max(max(dots[name]) for name in near)
    colours = [OURS_COLOUR if name == OURS else OTHER_COLOUR for name in names]
    axes.barh(names, [min(shown[name], edge) for name in names], color=colours, height=0.62)
    axes.set_xlim(0, edge)
    for row, name in enumerate(names):
        text = f"{shown[name]:,.0f}" if shown[name] >= 100 else f"{shown[name]:.1f}"
        if name not in near:
            axes.text(edge * 0.97, row, f"{text}  →", ha="right", va="center", fontsize=8, color="white")
            continue
        axes.plot(dots[name], [row] * len(dots[name]), ".", color="#22223b", markersize=4)
        axes.annotate(text, (max(dots[name]), row), (6, 0), textcoords="offset points", va="center", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
