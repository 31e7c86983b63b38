"""What a plot shows, before anything is drawn."""

from __future__ import annotations

from hayate.tools.measure.chart import panels_of, shortened
from tests.unit.tools.measure.plotted import AFTER, BEFORE


def test_every_panel_has_the_same_bars_the_earlier_run_first() -> None:
    panels = panels_of(AFTER, BEFORE, "en")
    assert len(panels) == 6
    for panel in panels:
        bars = [(bar.series, bar.run, bar.model) for bar in panel.bars]
        assert bars == [(0, "before", "llama-3.3-70b"), (1, "after", "fast"), (1, "after", "smart")]
        assert all(bar.value is not None and bar.value <= panel.edge for bar in panel.bars)


def test_runs_of_the_same_name_are_told_apart() -> None:
    assert {bar.run for panel in panels_of(AFTER, AFTER, "ja") for bar in panel.bars} == {
        "after (変更前)",
        "after (変更後)",
    }


def test_a_long_name_keeps_its_end_and_a_kanji_counts_twice() -> None:
    assert shortened("/models/Llama-3.3-70B-Instruct-Q4_K_M.gguf", 20) == "…nstruct-Q4_K_M.gguf"
    assert shortened("長" * 30, 20) == "…" + "長" * 9
    assert shortened("長" * 10, 20) == "長" * 10
