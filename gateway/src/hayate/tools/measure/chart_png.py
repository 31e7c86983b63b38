"""The plot as PNG, where matplotlib is installed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from hayate.language import Language
from hayate.tools.measure.chart import Panel, panels_of, shortened
from hayate.tools.measure.record import Record
from hayate.tools.measure.refusal import CannotMeasure
from hayate.tools.measure.words import asked, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABEL = 28
"""Columns of a bar's name: a longer one would leave no room for the bars."""
BEFORE, AFTER, INK = "#8d99ae", "#d1495b", "#22223b"
JAPANESE_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "Hiragino Sans",
    "Yu Gothic",
    "Meiryo",
    "MS Gothic",
    "IPAexGothic",
    "IPAGothic",
    "TakaoGothic",
    "VL Gothic",
)


def require_matplotlib() -> None:
    """Raises CannotMeasure without it: better before an hour of measuring than after."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise CannotMeasure(
            "A PNG needs matplotlib (pip install matplotlib); --plot FILE.html needs nothing.",
            "PNGには matplotlib が必要です（pip install matplotlib）。--plot ファイル.html なら何も要りません。",
        ) from None
    mpl.use("Agg")


def write_png(record: Record, before: Record | None, path: Path, language: Language) -> None:
    """Writes the picture. Without a Japanese font the words are English."""
    require_matplotlib()
    from matplotlib import font_manager, rc_context
    from matplotlib import pyplot as plt

    installed = {font.name for font in font_manager.fontManager.ttflist}
    font = next((name for name in JAPANESE_FONTS if name in installed), None)
    spoken = language if font is not None else "en"
    panels = panels_of(record, before, spoken)
    rows = len(panels[0].bars)
    families = [*([font] if font else []), "DejaVu Sans"]
    with rc_context({"font.family": families, "axes.unicode_minus": False}), warnings.catch_warnings():
        # A name in a script that no font here has is drawn as boxes; that is no reason to give up the picture.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure, grid = plt.subplots(2, 3, figsize=(13, 2.4 + 1.1 * rows), layout="constrained")
        for axes, panel in zip(grid.flat, panels, strict=True):
            _draw(axes, panel)
        figure.suptitle(f"{word('title', spoken)}  ({record.local_date})\n{asked(record, spoken)}", fontsize=10)
        figure.supxlabel(word("bars", spoken), fontsize=8)
        figure.savefig(path, dpi=130)
        plt.close(figure)


def _draw(axes: Axes, panel: Panel) -> None:
    bars = list(reversed(panel.bars))
    places = range(len(bars))
    axes.barh(places, [bar.value or 0 for bar in bars], color=[(BEFORE, AFTER)[bar.series] for bar in bars], height=0.6)
    for place, bar in zip(places, bars, strict=True):
        if bar.low is not None and bar.high is not None:
            axes.plot([bar.low, bar.high], [place, place], color=INK, linewidth=1)
        end = max(bar.value or 0, bar.high or 0)
        axes.annotate(bar.text, (end, place), (5, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(places, _labels(panel), fontsize=8)
    axes.set_xlim(0, panel.edge * 1.3)
    axes.set_title(f"{panel.title}\n({panel.hint})", fontsize=9)
    axes.set_xlabel("s" if panel.lower_is_better else "", fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)


def _labels(panel: Panel) -> list[str]:
    """The model, with its run where there are two; `$` would begin a formula."""
    both = len({bar.series for bar in panel.bars}) > 1
    texts = [(bar.model, bar.run) if both else (bar.model,) for bar in reversed(panel.bars)]
    return ["\n".join(shortened(line, LABEL).replace("$", r"\$") for line in lines) for lines in texts]
