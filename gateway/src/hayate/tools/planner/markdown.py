"""The tables of `docs-llm_api/planner.md`: every model of the catalogue, and some of them together, on 16, 24, 48 and 80 GiB,
as the planner answers."""

from __future__ import annotations

from collections.abc import Sequence

from hayate.tools.planner.arithmetic import GIB, KIB, kv_bytes_per_token
from hayate.tools.planner.engines import EngineName
from hayate.tools.planner.facts import ModelFacts
from hayate.tools.planner.gpus import parse_gpu
from hayate.tools.planner.host import Host
from hayate.tools.planner.plan import Plan, Wish, make_plan
from hayate.tools.planner.report import MARKS
from hayate.tools.planner.shared import SharedPlan, plan_shared
from hayate.tools.planner.together import Placed, Room
from hayate.tools.planner.variants import find_named

SIZES_GIB = (16, 24, 48, 80)
SHARED: tuple[tuple[EngineName, str], ...] = (
    ("vllm", "qwen2.5-7b,bakeneko-32b"),
    ("vllm", "qwen2.5-7b,qwen2.5-14b"),
    ("vllm", "llama-3.1-swallow-8b,bakeneko-32b"),
    ("vllm", "qwen2.5-7b,qwen2.5-14b,bakeneko-32b"),
    ("llamacpp", "qwen2.5-7b,bakeneko-32b"),
    ("ollama", "qwen2.5-7b,bakeneko-32b"),
)
SHARED_HOST = Host(64 * GIB)
SHARED_BEGIN = "<!-- begin: hayate plan --table-markdown, several models -->"
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


def shared_table(catalogue: Sequence[ModelFacts]) -> str:
    """Several models on one GPU, in Markdown, between its two marks."""
    sizes = [f"{size} GiB" for size in SIZES_GIB]
    rows = [_row(["engine", "--models", *sizes]), _row(["---", "---", *("---" for _ in sizes)])]
    for engine, names in SHARED:
        named = [find_named(name, catalogue) for name in names.split(",")]
        wishes = [Wish(parse_gpu(size), engine=engine) for size in sizes]
        plans = [plan_shared(named, Room(wish, host=SHARED_HOST)) for wish in wishes]
        rows.append(_row([plans[0].engine.title, f"`{names}`", *map(_shared_cell, plans)]))
    return "\n".join([SHARED_BEGIN, *rows, END]) + "\n"


def _shared_cell(plan: SharedPlan) -> str:
    """Models loaded together are joined by +, those that take turns by ⇄."""
    if plan.arrangement is None:
        return f"{MARKS['no']} " + ", ".join(f"{name} {size / GIB:.1f} GiB short" for name, size in plan.short.items())
    mark = MARKS["fewer" if plan.arrangement.turns else "fits"]
    groups = (" + ".join(_one(each) for each in group) for group in plan.arrangement.groups)
    return f"{mark} {' ⇄ '.join(groups)}"


def _one(placed: Placed) -> str:
    whole = f" ({placed.sequences})" if placed.candidate.typical_tokens != placed.candidate.context_tokens else ""
    return f"{placed.candidate.model.label.split()[0]} {placed.typical_sequences}{whole}"
