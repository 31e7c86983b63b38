"""Runs to draw: two that are compared, and one whose every name is a trap."""

from __future__ import annotations

from hayate.tools.measure.figures import figures_of
from hayate.tools.measure.record import ModelFigures
from tests.unit.tools.measure.measured import call, failed, record

NASTY = "<script>alert(1)</script>\"'&$x_1$日本語" + "長" * 80


def figures(model: str) -> ModelFigures:
    return figures_of(model, [call(1), call(2, total_s=2.0, ttft_s=0.5)], wall_s=3.0)


BEFORE = record(figures("llama-3.3-70b"), label="before")
AFTER = record(figures("fast"), figures("smart"), label="after")
BROKEN = record(figures_of(NASTY, [failed("status_503", NASTY)], 1.0), label=NASTY)
