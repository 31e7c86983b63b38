"""The plot as PNG, where matplotlib is installed."""

from __future__ import annotations

import warnings
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from hayate.language import Language
from hayate.tools.measure.chart import COLORS, PALE, Panel, panels_of, shortened
from hayate.tools.measure.record import Record
from hayate.tools.measure.refusal import CannotMeasure
from hayate.tools.measure.words import asked, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL = 28
"""Columns of a bar's name: a longer one would leave no room for the bars."""
INK = "#22223b"
GAP = 0.5
"""Between groups of bars, in bars."""
FONT = "Hayate Chart"
"""The one in the package, in which every word of ours and most of everybody's Japanese can be written (font/OFL.txt)."""
MORE_FONTS = ("Noto Sans CJK JP", "Hiragino Sans", "Yu Gothic", "Meiryo", "IPAexGothic")
"""For rarer kanji, where one of them is installed."""


def require_matplotlib() -> None:
    """Raises CannotMeasure without it: better before an hour of measuring than after."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise CannotMeasure(
            "A PNG needs matplotlib (pip install matplotlib); --plot FILE.html needs nothing.",
            "PNGにはmatplotlibが必要です（pip install matplotlib）。--plot ファイル.html なら何も要りません。",
        ) from None
    mpl.use("Agg")


def write_png(record: Record, before: Record | None, path: Path, language: Language) -> None:
    """Writes the picture. Raises OSError."""
    require_matplotlib()
    from matplotlib import pyplot as plt
    from matplotlib import rc_context

    panels = panels_of(record, before, language)
    height = 2.4 + 0.9 * len(panels[0].bars)
    with rc_context({"font.family": _fonts(language), "axes.unicode_minus": False}), warnings.catch_warnings():
        # A name in a script that no font here has is drawn as boxes; that is no reason to give up the picture.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure, grid = plt.subplots(2, 3, figsize=(13, height), layout="constrained")
        for axes, panel in zip(grid.flat, panels, strict=True):
            _draw(axes, panel)
        figure.suptitle(f"{word('title', language)}  ({record.local_date})\n{asked(record, language)}", fontsize=10)
        figure.supxlabel(word("bars", language), fontsize=8)
        figure.savefig(path, dpi=130)
        plt.close(figure)


def _fonts(language: Language) -> list[str]:
    """The families to look for a letter in, in this order."""
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    if FONT not in installed:
        with as_file(files("hayate.tools.measure") / "font" / "HayateChart.otf") as font:
            font_manager.fontManager.addfont(font)
    families = [FONT, *(name for name in MORE_FONTS if name in installed)]
    return [*families, "DejaVu Sans"] if language == "ja" else ["DejaVu Sans", *families]


def _draw(axes: Axes, panel: Panel) -> None:
    from matplotlib.colors import to_rgba

    bars = panel.bars
    both = len({bar.series for bar in bars}) > 1
    places = [number + (bar.group * GAP if both else 0) for number, bar in enumerate(bars)]
    colors = [to_rgba(COLORS[bar.color % len(COLORS)], 1 if bar.series else PALE) for bar in bars]
    axes.barh(places, [bar.value or 0 for bar in bars], color=colors, height=0.8 if both else 0.6)
    for place, bar in zip(places, bars, strict=True):
        if bar.low is not None and bar.high is not None:
            axes.plot([bar.low, bar.high], [place, place], color=INK, linewidth=1)
        end = max(bar.value or 0, bar.high or 0)
        axes.annotate(bar.text, (end, place), (5, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(places, _labels(panel), fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, panel.edge * 1.3)
    axes.set_title(f"{panel.title}\n({panel.hint})", fontsize=9)
    axes.set_xlabel("s" if panel.lower_is_better else "", fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def _labels(panel: Panel) -> list[str]:
    """The model, with its run where there are two; `$` would begin a formula."""
    both = len({bar.series for bar in panel.bars}) > 1
    texts = [(bar.model, bar.run) if both else (bar.model,) for bar in panel.bars]
    return ["\n".join(shortened(line, LABEL).replace("$", r"\$") for line in lines) for lines in texts]
