"""The picture beside the table: one panel a figure, one bar a contender (the median), one dot a round."""

from __future__ import annotations

import math
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bench.rounds import Results
from bench.verdicts import OURS

PANELS = (
    ("paced", "gateway_us", "CPU µs per token\n64 paced streams"),
    ("burst", "gateway_us", "CPU µs per token\n16 burst streams"),
    ("plain", "gateway_us", "CPU µs per request\nnot streamed"),
    ("crowd", "gateway_us", "CPU µs per token\n2,000 streams"),
    ("latency", "p50_us", "µs per request, p50\n1 connection"),
    ("held", "kb_per_stream", "KB per open stream\n1,000 streams"),
)
OURS_COLOUR, OTHER_COLOUR = "#d1495b", "#8d99ae"


def draw(results: Results, title: str, path: Path) -> None:
    """Write the picture."""
    figure, rows = plt.subplots(2, 3, figsize=(12, 6.4), layout="constrained")
    for axes, (scenario, key, heading) in zip(rows.flat, PANELS, strict=True):
        _panel(axes, results, scenario, key)
        axes.set_title(heading, fontsize=10)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _panel(axes: Axes, results: Results, scenario: str, key: str) -> None:
    medians = {name: results.median(name, scenario, key) for name in results.labels}
    shown = {name: value for name, value in medians.items() if not math.isnan(value)}
    if not shown:
        axes.text(0.5, 0.5, "not measured", ha="center", va="center", transform=axes.transAxes)
        axes.set_axis_off()
        return
    names = list(reversed(shown))
    logarithmic = max(shown.values()) > 20 * min(shown.values())
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim(min(shown.values()) / 3, max(shown.values()) * 6)
    else:
        axes.set_xlim(0, max(shown.values()) * 1.3)
    axes.barh(
        names,
        [shown[name] for name in names],
        color=[OURS_COLOUR if name == OURS else OTHER_COLOUR for name in names],
        height=0.62,
    )
    for row, name in enumerate(names):
        rounds = [value for value in results.values(name, scenario, key) if not math.isnan(value)]
        axes.plot(rounds, [row] * len(rounds), ".", color="#22223b", markersize=4)
        axes.annotate(
            f"{shown[name]:,.0f}" if shown[name] >= 100 else f"{shown[name]:.1f}",
            (max(rounds), row),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    if logarithmic:
        axes.set_xlabel("logarithmic", fontsize=7)
