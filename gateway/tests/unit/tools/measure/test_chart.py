"""What a plot shows, before anything is drawn."""

from __future__ import annotations

from hayate.tools.measure.chart import panels_of, shortened
from tests.unit.tools.measure.measured import record
from tests.unit.tools.measure.plotted import AFTER, BEFORE, figures

TWICE = record(figures("smart"), figures("new"), label="later")


def test_every_panel_has_the_same_bars_side_by_side_what_is_compared() -> None:
    panels = panels_of(AFTER, BEFORE, "en")
    assert len(panels) == 6
    for panel in panels:
        bars = [(bar.group, bar.series, bar.run, bar.model) for bar in panel.bars]
        assert bars == [
            (0, 0, "before", "llama-3.3-70b"),
            (0, 1, "after", "fast"),
            (1, 0, "before", "llama-3.3-70b"),
            (1, 1, "after", "smart"),
        ]
        assert all(bar.value is not None and bar.value <= panel.edge for bar in panel.bars)


def test_a_model_has_one_colour_whichever_run_it_is_of() -> None:
    for panel in panels_of(TWICE, AFTER, "en"):
        bars = [(bar.model, bar.series, bar.color, bar.group) for bar in panel.bars]
        assert bars == [
            ("smart", 0, 0, 0),
            ("smart", 1, 0, 0),
            ("new", 1, 1, 1),
            ("fast", 0, 2, 2),
        ]
    alone = [(bar.model, bar.color, bar.series) for bar in panels_of(AFTER, None, "en")[0].bars]
    assert alone == [("fast", 0, 1), ("smart", 1, 1)]


def test_runs_of_the_same_name_are_told_apart() -> None:
    assert {bar.run for panel in panels_of(AFTER, AFTER, "ja") for bar in panel.bars} == {
        "after (変更前)",
        "after (変更後)",
    }


def test_a_long_name_keeps_its_end_and_a_kanji_counts_twice() -> None:
    assert shortened("/models/Llama-3.3-70B-Instruct-Q4_K_M.gguf", 20) == "…nstruct-Q4_K_M.gguf"
    assert shortened("長" * 30, 20) == "…" + "長" * 9
    assert shortened("長" * 10, 20) == "長" * 10
