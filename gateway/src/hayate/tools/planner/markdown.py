"""The table of `docs-llm_api/planner.md`: every model of the catalogue on 16, 24, 48 and 80 GiB, as the planner answers."""

from __future__ import annotations

from collections.abc import Sequence

from hayate.tools.planner.arithmetic import GIB, KIB, kv_bytes_per_token
from hayate.tools.planner.facts import ModelFacts
from hayate.tools.planner.gpus import parse_gpu
from hayate.tools.planner.plan import Plan, Wish, make_plan
from hayate.tools.planner.report import MARKS

SIZES_GIB = (16, 24, 48, 80)
BEGIN, END = "<!-- begin: hayate plan --table-markdown -->", "<!-- end -->"


def fit_table(catalogue: Sequence[ModelFacts]) -> str:
    """The table, in Markdown, between its two marks."""
    sizes = [f"{size} GiB" for size in SIZES_GIB]
    rows = [
        _row(["model", "weights", "GiB", "KV KiB/token", *sizes]),
        _row(["---", "---", "---:", "---:", *("---" for _ in sizes)]),
    ]
    for model in catalogue:
        cells = [_cell(make_plan(model, Wish(parse_gpu(size)), catalogue)) for size in sizes]
        kv = f"{kv_bytes_per_token(model.attention, 2) / KIB:g}"
        rows.append(_row([model.id, model.label, f"{model.weight_bytes / GIB:.1f}", kv, *cells]))
    return "\n".join([BEGIN, *rows, END]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(plan: Plan) -> str:
    mark = MARKS[plan.verdict]
    if plan.verdict == "unusable":
        return mark
    if plan.verdict == "partly":
        return f"{mark} {plan.gpu_layers} of {plan.model.layers + 1} layers"
    if plan.verdict == "no":
        return f"{mark} {(plan.kv_bytes_per_sequence - plan.pool_bytes) / GIB:.1f} GiB short"
    if plan.typical_tokens == plan.context_tokens:
        return f"{mark} {plan.sequences}"
    return f"{mark} {plan.typical_sequences} ({plan.sequences})"
