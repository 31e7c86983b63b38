"""The documentation's table is what the planner answers today."""

from __future__ import annotations

from pathlib import Path

from hayate.planner.catalogue import load_catalogue
from hayate.planner.markdown import BEGIN, END, fit_table

DOCUMENT = Path(__file__).parents[3] / "docs-llm_api/planner.md"


def test_the_document_has_the_table_as_the_planner_makes_it() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    begin, end = text.index(BEGIN), text.index(END) + len(END) + 1
    assert text[begin:end] == fit_table(load_catalogue()), (
        "run: hayate plan --table-markdown, and put it into the document"
    )


def test_every_model_has_a_row() -> None:
    table = fit_table(load_catalogue())
    assert all(f"| {model.id} |" in table for model in load_catalogue())
