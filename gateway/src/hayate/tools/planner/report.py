"""Plans and the catalogue as tables for a terminal, in English or Japanese, and as plain values for `--json`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hayate.language import Language, Text
from hayate.tools.planner.arithmetic import GIB, KIB, kv_bytes_per_token
from hayate.tools.planner.facts import ModelFacts
from hayate.tools.planner.plan import Plan, Verdict

# As wide as its longest row when the output is not a terminal, so that nothing is folded in a pipe.
WIDE = 200
ROOMY = 130
MARKS: dict[Verdict, str] = {"fits": "✔", "fewer": "△", "partly": "▽", "no": "✘", "unusable": "—"}
STYLES: dict[str, str] = {"error": "red", "warning": "yellow", "note": "cyan"}

WORDS: dict[str, Text] = {
    "model": Text("model", "モデル"),
    "weights": Text("weights", "重み"),
    "kv": Text("KV per token", "KV/トークン"),
    "context": Text("context", "コンテキスト"),
    "licence": Text("licence", "ライセンス"),
    "note": Text("note", "メモ"),
    "engine": Text("engine", "エンジン"),
    "pool": Text("for KV", "KV用"),
    "sequences": Text("fit\nat once", "同時\n実行数"),
    "whole_ones": Text("whole\nones", "最大長\nの件数"),
    "alone": Text("longest\nalone", "単独時の\n最大長"),
    "left": Text("left", "残り"),
    "longest": Text("longest alone", "単独時の最大長"),
    "verdict": Text("", ""),
    "error": Text("error", "エラー"),
    "warning": Text("warning", "警告"),
    "remark": Text("note", "参考"),
    "flags": Text("flags", "起動オプション"),
    "memory": Text("GPU memory", "GPUメモリー"),
    "share": Text("x {share:g} = {size} for the engine", "x {share:g} = エンジン用 {size}"),
    "cuda": Text("CUDA context", "CUDAコンテキスト"),
    "outside": Text("outside the engine's share", "エンジンの割り当ての外"),
    "working": Text("activations, CUDA graphs", "アクティベーション・CUDAグラフ"),
    "pool_row": Text("left for the KV cache", "KVキャッシュに残る量"),
    "tokens": Text("tokens", "トークン"),
    "each": Text("KV of one sequence", "1件のKV"),
    "typical": Text("KV of a typical one", "標準的な1件のKV"),
    "wished": Text("KV of all {n} sequences", "{n}件すべてのKV"),
    "spare": Text("left over", "残り"),
    "short": Text("missing", "不足"),
    "fit": Text("sequences that fit", "収まる同時実行数"),
    "whole": Text("of the full context", "コンテキスト最大の場合"),
    "of": Text("of", "/"),
}
VERDICTS: dict[Verdict, Text] = {
    "fits": Text("fits", "収まります"),
    "fewer": Text("fits with fewer sequences", "同時実行数を減らせば収まります"),
    "partly": Text("fits only partly", "一部だけGPUに載ります"),
    "no": Text("does not fit", "収まりません"),
    "unusable": Text("not usable like this", "この組み合わせでは使えません"),
}


def word(key: str, language: Language) -> str:
    """A heading in the language."""
    return WORDS[key].of(language)


def console() -> Console:
    """Standard output, plain and wide where nobody looks at it."""
    return Console(width=None if sys.stdout.isatty() else WIDE, highlight=False)


def gib(size: float) -> str:
    """Bytes as a person compares them with a card: two decimals, in GiB."""
    return f"{size / GIB:.2f} GiB"


def kib(size: float) -> str:
    """Bytes of one token, in KiB, which are whole for most models."""
    return f"{size / KIB:.1f}".removesuffix(".0") + " KiB"


def model_values(model: ModelFacts) -> dict[str, Any]:
    """A model for `--json`: names that stay, figures without units of their own."""
    return {
        "id": model.id,
        "family": model.family,
        "format": model.format,
        "weights": model.label,
        "weight_bytes": model.weight_bytes,
        "layers": model.layers,
        "attention": [
            {"layers": kind.layers, "kv_heads": kind.kv_heads, "key_dim": kind.key_dim, "value_dim": kind.value_dim}
            | ({"window": kind.window} if kind.window else {})
            | ({"state_bytes": kind.state_bytes} if kind.state_bytes else {})
            for kind in model.attention
        ],
        "heads": model.heads,
        "hidden": model.hidden,
        "vocab": model.vocab,
        "context_tokens": model.context_tokens,
        "kv_bytes_per_token_16bit": kv_bytes_per_token(model.attention, 2),
        "licence": model.licence,
        "source": model.source,
        "note": {"en": model.note.en, "ja": model.note.ja} if model.note else None,
        "refusal": {"en": model.refusal.en, "ja": model.refusal.ja} if model.refusal else None,
        "assumptions": [{"en": text.en, "ja": text.ja} for text in model.assumptions],
    }


def plan_values(plan: Plan) -> dict[str, Any]:
    """A plan for `--json`. Bytes are per GPU unless the engine splits by layers."""
    wish = plan.wish
    return {
        "model": plan.model.id,
        "engine": plan.engine.name,
        "verdict": plan.verdict,
        "gpu": {"name": wish.gpu.name, "memory_bytes": wish.gpu.memory_bytes, "count": wish.gpus},
        "context_tokens": plan.context_tokens,
        "typical_tokens": plan.typical_tokens,
        "concurrency": wish.concurrency,
        "utilization": wish.utilization,
        "dtype": plan.dtype,
        "kv_cache_dtype": wish.kv_dtype,
        "weight_bytes": plan.weight_bytes,
        "overhead_bytes": {
            "cuda_context": plan.overheads.context_bytes,
            "activations": plan.overheads.activation_bytes,
            "cuda_graphs": plan.overheads.graph_bytes,
        },
        "kv_pool_bytes": plan.pool_bytes,
        "kv_pool_tokens": plan.pool_tokens,
        "kv_bytes_per_token": plan.kv_bytes_per_token,
        "kv_bytes_per_sequence": plan.kv_bytes_per_sequence,
        "kv_bytes_per_typical": plan.kv_bytes_per_typical,
        "kv_bytes": plan.kv_bytes,
        "left_bytes": plan.left_bytes,
        "sequences": plan.sequences,
        "typical_sequences": plan.typical_sequences,
        "longest_context_tokens": plan.longest_context_tokens,
        "remarks": [
            {"level": remark.level, "code": remark.code, "en": remark.text.en, "ja": remark.text.ja}
            for remark in plan.remarks
        ],
        "command": list(plan.flags.command) if plan.flags else None,
        "env": plan.flags.env if plan.flags else None,
    }


def figures_table(columns: Sequence[str]) -> Table:
    """Figures keep their width; names fold when the terminal is narrow."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, kind in (column.rsplit("|", 1) for column in columns):
        if kind == "name":
            table.add_column(heading, overflow="fold", min_width=16)
        else:
            table.add_column(heading, justify="right" if kind == "figure" else "left", no_wrap=True)
    return table


def print_models(models: Sequence[ModelFacts], language: Language) -> None:
    """The catalogue; without licences and notes where there is no room for them."""
    out = console()
    roomy = out.width >= ROOMY
    w = {key: word(key, language) for key in WORDS}
    columns = [
        f"{w['model']}|name",
        "GiB|figure",
        f"{w['weights']}|text",
        f"{w['kv']}|figure",
        f"{w['context']}|figure",
    ]
    table = figures_table(columns + ([f"{w['licence']}|name", f"{w['note']}|name"] if roomy else []))
    for model in models:
        note = model.refusal or model.note
        table.add_row(
            escape(model.id),
            f"{model.weight_bytes / GIB:.1f}",
            model.label,
            kib(kv_bytes_per_token(model.attention, 2)),
            str(model.context_tokens),
            *([escape(model.licence), escape(note.of(language)) if note else ""] if roomy else []),
        )
    out.print(table)


def print_plans(plans: Sequence[Plan], language: Language) -> None:
    """Many models on one GPU, a row each."""
    w = {key: word(key, language) for key in WORDS}
    columns = (
        f"{w['weights']}\nGiB|figure",
        f"{w['pool']}\nGiB|figure",
        "KiB\n/token|figure",
        f"{w['sequences']}|figure",
        f"{w['whole_ones']}|figure",
    )
    table = figures_table(["|text", f"{w['model']}|name", f"{w['engine']}|text", *columns, f"{w['alone']}|figure"])
    for plan in plans:
        runs = plan.verdict not in ("no", "unusable", "partly")
        usable = plan.verdict != "unusable"
        table.add_row(
            MARKS[plan.verdict],
            escape(plan.model.id),
            plan.engine.title if usable else "—",
            f"{plan.weight_bytes / GIB:.1f}",
            f"{max(0, plan.pool_bytes) / GIB:.1f}" if usable else "—",
            kib(plan.kv_bytes_per_token).removesuffix(" KiB"),
            str(plan.typical_sequences) if runs else "—",
            str(plan.sequences) if runs else "—",
            str(plan.longest_context_tokens) if runs else "—",
        )
    out = console()
    out.print(table)
    legend = (f"{MARKS[verdict]} {VERDICTS[verdict].of(language)}" for verdict in MARKS)
    out.print(f"\n{'  '.join(legend)}", style="dim")


def print_plan(plan: Plan, language: Language) -> None:
    """One model, row by row, then what to know, then the flags."""
    out, wish = console(), plan.wish
    gpus = f"{wish.gpus} x {wish.gpu.name}" if wish.gpus > 1 else wish.gpu.name
    head = f"{plan.model.id}  ({plan.model.label})  {plan.engine.title}, {gpus}"
    out.print(f"[bold]{escape(head)}[/bold]")
    verdict = VERDICTS[plan.verdict].of(language)
    out.print(f"{MARKS[plan.verdict]} {verdict}", style="green" if plan.verdict == "fits" else "yellow")
    if plan.verdict != "unusable":
        out.print(_figures(plan, language))
    for remark in plan.remarks:
        label = word("remark" if remark.level == "note" else remark.level, language)
        out.print(f"[{STYLES[remark.level]}]{label}:[/] {escape(remark.text.of(language))}")
    if plan.flags:
        out.print(f"\n[bold]{word('flags', language)}[/bold]")
        out.print(escape(shlex.join(plan.flags.command)), soft_wrap=True)


def _figures(plan: Plan, language: Language) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    extra, wish, tokens = plan.overheads, plan.wish, word("tokens", language)
    of_engine = gib(plan.memory_bytes * wish.utilization)
    takes_share = plan.engine.name != "trtllm"
    share = word("share", language).format(share=wish.utilization, size=of_engine) if takes_share else ""
    beside = word("outside", language) if plan.engine.name in ("vllm", "sglang") else ""
    table.add_row(word("memory", language), gib(plan.memory_bytes), share)
    table.add_row(word("cuda", language), gib(extra.context_bytes), beside)
    table.add_row(word("weights", language), gib(plan.weight_bytes), "")
    table.add_row(
        word("working", language),
        gib(extra.activation_bytes + extra.graph_bytes),
        f"{gib(extra.activation_bytes)} + {gib(extra.graph_bytes)}" if extra.graph_bytes else "",
    )
    table.add_row(
        word("pool_row", language), gib(plan.pool_bytes), f"{plan.pool_tokens} {tokens}" if plan.pool_tokens else ""
    )
    table.add_row(word("kv", language), kib(plan.kv_bytes_per_token), "")
    table.add_row(word("each", language), gib(plan.kv_bytes_per_sequence), f"{plan.context_tokens} {tokens}")
    if plan.typical_tokens != plan.context_tokens:
        table.add_row(word("typical", language), gib(plan.kv_bytes_per_typical), f"{plan.typical_tokens} {tokens}")
    table.add_row(word("wished", language).format(n=wish.concurrency), gib(plan.kv_bytes), "")
    left = plan.left_bytes
    table.add_row(word("spare" if left >= 0 else "short", language), gib(abs(left)), "")
    table.add_row(word("fit", language), str(plan.typical_sequences), f"{word('of', language)} {wish.concurrency}")
    if plan.typical_tokens != plan.context_tokens:
        table.add_row(word("whole", language), str(plan.sequences), "")
    table.add_row(word("longest", language), str(plan.longest_context_tokens), tokens)
    return table
