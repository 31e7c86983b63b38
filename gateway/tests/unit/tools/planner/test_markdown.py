"""The documentation's tables are what the planner answers today."""

from __future__ import annotations

from pathlib import Path

from hayate.tools.planner.catalogue import find_model, load_catalogue
from hayate.tools.planner.gpus import parse_gpu
from hayate.tools.planner.markdown import BEGIN, END, SHARED_BEGIN, fit_table, shared_table
from hayate.tools.planner.plan import Wish, make_plan
from hayate.tools.planner.report import gib, kib

DOCUMENT = Path(__file__).parents[5] / "docs-llm_api/planner.md"


def test_the_document_has_the_tables_as_the_planner_makes_it() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for begin, table in ((BEGIN, fit_table(load_catalogue())), (SHARED_BEGIN, shared_table(load_catalogue()))):
        start = text.index(begin)
        end = text.index(END, start) + len(END) + 1
        assert text[start:end] == table, "run: hayate plan --table-markdown, and put it into the document"


def test_every_model_has_a_row() -> None:
    table = fit_table(load_catalogue())
    assert all(f"| {model.id} |" in table for model in load_catalogue())


def test_the_worked_example_is_what_the_planner_says() -> None:
    model = find_model(load_catalogue(), "rinna/qwen2.5-bakeneko-32b-instruct-awq")
    assert model is not None
    plan = make_plan(model, Wish(parse_gpu("24GiB")))
    text = DOCUMENT.read_text(encoding="utf-8")
    example = text[text.index("Read a row:") : text.index("## The formula")].replace("\n", " ")
    extra = plan.overheads
    said = (
        f"Weights take {gib(plan.weight_bytes)}, activations {gib(extra.activation_bytes)},",
        f"CUDA graphs {gib(extra.graph_bytes)}: {gib(plan.pool_bytes)} are left",
        f"= {kib(plan.kv_bytes_per_token)}, a sequence of 8192 tokens {gib(plan.kv_bytes_per_sequence)}",
        f"one fits, {plan.longest_context_tokens} tokens long",
    )
    assert plan.sequences == 1
    assert [line for line in said if line not in example] == []
