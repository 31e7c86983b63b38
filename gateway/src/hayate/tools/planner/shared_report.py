"""A plan for several models as a table for a terminal, in English or Japanese, and as plain values for `--json`."""

from __future__ import annotations

import shlex
from typing import Any

from rich.markup import escape

from hayate.language import Language, Text
from hayate.tools.planner.report import MARKS, STYLES, console, figures_table, gib, word
from hayate.tools.planner.shared import SharedPlan
from hayate.tools.planner.together import Placed

HEADINGS = {
    "model": Text("model", "モデル"),
    "weights": Text("weights\nGiB", "重み\nGiB"),
    "takes": Text("takes\nGiB", "使用量\nGiB"),
    "cache": Text("for KV\nGiB", "KV用\nGiB"),
    "at_once": Text("fit\nat once", "同時\n実行数"),
    "whole": Text("whole\nones", "最大長\nの件数"),
    "asleep": Text("asleep", "スリープ"),
}
TOGETHER = Text("all fit together and stay loaded", "すべて同時に載り、読み込んだままになります")
TURNS = Text("they take turns", "交代で使います")
TOO_LARGE = Text("does not fit", "収まりません")
STUCK = Text("can't take turns like this", "このままでは交代できません")
STAYS = Text("loaded together", "同時に載るもの")


def print_shared(plan: SharedPlan, language: Language) -> None:
    """Who stays, who takes turns, what each takes, what to know, and the flags."""
    out = console()
    wish = plan.room.wish
    out.print(f"[bold]{escape(f'{plan.engine.title}, {wish.gpu.name}')}[/bold]")
    mark, said = _verdict(plan)
    out.print(f"{mark} {said.of(language)}", style="green" if plan.works else "yellow")
    if plan.arrangement is None:
        for name, lacking in plan.short.items():
            out.print(f"{escape(name)}: {word('short', language)} {gib(lacking)}")
    else:
        out.print(_table(plan, language))
        if plan.arrangement.turns:
            for group in plan.arrangement.groups:
                if len(group) > 1:
                    names = ", ".join(each.candidate.name for each in group)
                    out.print(f"{STAYS.of(language)}: {escape(names)}")
    for remark in plan.remarks:
        label = word("remark" if remark.level == "note" else remark.level, language)
        out.print(f"[{STYLES[remark.level]}]{label}:[/] {escape(remark.text.of(language))}")
    if plan.arrangement is not None and plan.works:
        out.print(f"\n[bold]{word('flags', language)}[/bold]")
        # One server for all its models (Ollama) is started once.
        for command in dict.fromkeys(plan.flags(each).command for each in plan.arrangement.placed):
            out.print(escape(shlex.join(command)), soft_wrap=True)


def shared_values(plan: SharedPlan) -> dict[str, Any]:
    """For `--json`: names that stay, bytes and tokens."""
    made, wish = plan.arrangement, plan.room.wish
    return {
        "engine": plan.engine.name,
        "works": plan.works,
        "gpu": {
            "name": wish.gpu.name,
            "memory_bytes": wish.gpu.memory_bytes,
            "left_out_bytes": plan.room.left_out_bytes,
            "shared_bytes": plan.gpu_bytes,
        },
        "host_memory_bytes": plan.room.host.memory_bytes,
        "groups": [[each.candidate.name for each in group] for group in made.groups] if made else None,
        "models": [_values(plan, each) for each in made.placed] if made else None,
        "short_bytes": dict(plan.short),
        "remarks": [
            {"level": remark.level, "code": remark.code, "en": remark.text.en, "ja": remark.text.ja}
            for remark in plan.remarks
        ],
    }


def _values(plan: SharedPlan, placed: Placed) -> dict[str, Any]:
    each, flags = placed.candidate, plan.flags(placed)
    return {
        "name": each.name,
        "model": each.model.id,
        "weights": each.model.label,
        "weight_bytes": each.model.weight_bytes,
        "memory_bytes": plan.memory_bytes(placed),
        "loaded_bytes": placed.loaded_bytes,
        "asleep_bytes": each.asleep_bytes if plan.sleeps else 0,
        "sleep_level": plan.arrangement.levels[each.name] if plan.sleeps and plan.arrangement else None,
        "kv_pool_bytes": placed.share_bytes - each.inside_bytes,
        "context_tokens": each.context_tokens,
        "typical_tokens": each.typical_tokens,
        "sequences": placed.sequences,
        "typical_sequences": placed.typical_sequences,
        "command": list(flags.command),
        "env": flags.env,
    }


def _verdict(plan: SharedPlan) -> tuple[str, Text]:
    if plan.arrangement is None:
        return MARKS["no"], TOO_LARGE
    if not plan.works:
        return MARKS["unusable"], STUCK
    return (MARKS["fewer"], TURNS) if plan.arrangement.turns else (MARKS["fits"], TOGETHER)


def _table(plan: SharedPlan, language: Language) -> Any:
    heads = {key: text.of(language) for key, text in HEADINGS.items()}
    columns = [f"{heads['model']}|name", "|text", *(f"{heads[key]}|figure" for key in ("weights", "takes", "cache"))]
    columns += [f"{heads['at_once']}|figure", f"{heads['whole']}|figure"]
    table = figures_table([*columns, *([f"{heads['asleep']}|text"] if plan.sleeps else [])])
    for each in plan.arrangement.placed if plan.arrangement else ():
        one = each.candidate
        cells = [
            f"{size:.1f}"
            for size in _gib(one.model.weight_bytes, each.loaded_bytes, each.share_bytes - one.inside_bytes)
        ]
        levels = plan.arrangement.levels if plan.arrangement else {}
        asleep = [_level(levels.get(one.name), language)] if plan.sleeps else []
        table.add_row(
            escape(one.name), escape(one.model.label), *cells, str(each.typical_sequences), str(each.sequences), *asleep
        )
    return table


def _gib(*sizes: int) -> tuple[float, ...]:
    return tuple(size / 2**30 for size in sizes)


def _level(level: int | None, language: Language) -> str:
    return "—" if level is None else Text(f"level {level}", f"レベル{level}").of(language)
