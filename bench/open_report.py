"""The open loop's table, as Markdown that also reads well on a terminal, its figures as JSON, and its picture."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from bench.open_looks import CURVE, FIRST, PLAIN, QUANTILES, TOKENS, Looks, median
from bench.report import markdown_table

DIRECT = "direct"
COLOURS = {
    "direct": "#22223b",
    "nginx": "#8d99ae",
    "sglang-router": "#e09f3e",
    "vllm-router": "#2a9d8f",
    "litellm": "#9a8c98",
    "hayate": "#d1495b",
    "hayate-history": "#f4a3ad",
}
LOWEST_MS = 0.01


def _ms(value: float) -> str:
    if math.isnan(value):
        return "–"
    if abs(value) >= 10:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"


def _three(values: list[float]) -> str:
    return "–" if all(map(math.isnan, values)) else " / ".join(_ms(value) for value in values)


def _names(looks: Looks, schedule: str) -> list[str]:
    return [name for name in looks.labels if name in looks.found[schedule]]


def added_table(looks: Looks, schedule: str) -> str:
    """What each adds to the direct line; the direct line itself as it is."""
    waits = (FIRST, TOKENS, PLAIN)
    rows = []
    for name in _names(looks, schedule):
        if name == DIRECT:
            own = [[_own(looks, schedule, kind, at) for at in range(len(QUANTILES))] for kind in waits]
            rows.append([f"{looks.labels[name]}: not added, but its own", *map(_three, own)])
        else:
            rows.append([looks.labels[name], *(_three(looks.added(schedule, name, kind)) for kind in waits)])
    heads = [f"{kind}{' late' if kind == TOKENS else ''}, ms p50 / p99 / p99.9" for kind in waits]
    return markdown_table([f"{schedule}, added", *heads], rows)


def _own(looks: Looks, schedule: str, kind: str, at: int) -> float:
    missing = [math.nan] * len(QUANTILES)
    return median([look.quantiles.get(kind, missing)[at] for look in looks.of(schedule, DIRECT)])


def herd_table(looks: Looks, schedule: str) -> str:
    """First tokens of calls that start at once: in the middle, and the last."""
    names = _names(looks, schedule)
    groups = list(
        dict.fromkeys(
            kind for name in names for look in looks.of(schedule, name) for kind in look.quantiles if kind != TOKENS
        )
    )
    rows = []
    for name in names:
        cells = [_three([looks.middle(schedule, name, each), looks.worst(schedule, name, each)]) for each in groups]
        rows.append([looks.labels[name], *cells])
    return markdown_table(["first token, ms p50 / last", *groups], rows)


def headroom_table(looks: Looks) -> str:
    """How busy each side was, and whether the client kept to its schedule."""
    rows = []
    for schedule in looks.found:
        for name in _names(looks, schedule):
            found = looks.of(schedule, name)
            cores = [median([look.cores.get(who, math.nan) for look in found]) for who in ("gateway", "stub", "client")]
            late = median([look.begun_late_ms for look in found])
            tokens = median([look.counted.get(TOKENS, 0) for look in found])
            rows.append([schedule, name, " / ".join(f"{each:.2f}" for each in cores), _ms(late), f"{tokens:,.0f}"])
    head = ["", "", "cores in use: gateway / stub / client", "calls begun late, ms p99", "tokens counted a look"]
    return markdown_table(head, rows)


def notes(looks: Looks) -> str:
    """Every answer that was not whole, who did not take part, and what stood in."""
    lines = [] if looks.compiled else ["- no C compiler was found: client and engine are Python's, and late themselves"]
    lines += [f"- {name}: skipped: {reason}" for name, reason in looks.skipped.items()]
    whole = True
    for schedule in looks.found:
        for name in _names(looks, schedule):
            total = sum((look.errors for look in looks.of(schedule, name)), Counter[str]())
            lines += [f"- {name}, {schedule}: {count} × {what}" for what, count in total.most_common()]
            whole = whole and not total
    return "\n".join([*lines, "- every answer arrived whole"] if whole else lines)


def markdown(looks: Looks, about: dict[str, Any]) -> str:
    """The whole report."""
    facts = (
        f"{about['cores']} × {about['cpu']}, {about['memory_gb']} GB, Linux {about['kernel']}, Python {about['python']}"
    )
    loads = [look.load for found in looks.found.values() for each in found.values() for look in each]
    tables = [
        added_table(looks, schedule) if schedule != "herds" else herd_table(looks, schedule) for schedule in looks.found
    ]
    body = "\n\n".join([*tables, headroom_table(looks), notes(looks)])
    return f"""# Calls that come as they come, {about["date"]}

{facts}; commit {about["commit"]}; load average before the run {about["load_before"]:.2f},
as looks began {min(loads, default=math.nan):.1f} to {max(loads, default=math.nan):.1f}, this run's own included;
idle cores {"kept awake" if about["awake"] else "let sleep"}.
Medians of {about["looks"]} look(s) of {about["seconds"]:g} s. Waits count from the schedule. Method: [README.md](../README.md).

{body}
"""


def as_json(looks: Looks, about: dict[str, Any]) -> str:
    """Every look."""

    def plain(value: Any) -> Any:
        if isinstance(value, float):
            return None if math.isnan(value) else round(value, 4)
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        return [plain(each) for each in value] if isinstance(value, list) else value

    whole = {
        "about": about,
        "quantiles": list(QUANTILES),
        "curve": list(CURVE),
        "compiled": looks.compiled,
        "labels": looks.labels,
        "skipped": looks.skipped,
        "looks": {
            schedule: {name: [asdict(look) for look in found] for name, found in each.items()}
            for schedule, each in looks.found.items()
        },
    }
    return json.dumps(plain(whole), indent=1, ensure_ascii=False) + "\n"


def draw(looks: Looks, title: str, path: Path) -> None:
    """A panel a rate: of how many tokens how late, both on scales of powers of ten."""
    shown = [schedule for schedule in looks.found if schedule != "herds"] or list(looks.found)
    figure, panels = plt.subplots(
        1, len(shown), figsize=(5.2 * len(shown) + 1, 4.6), layout="constrained", squeeze=False, sharey=True
    )
    for axes, schedule in zip(panels.flat, shown, strict=True):
        _panel(axes, looks, schedule)
    panels.flat[0].set_ylabel("share of tokens that are not later", fontsize=9)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _panel(axes: Axes, looks: Looks, schedule: str) -> None:
    for name in _names(looks, schedule):
        points = [
            (max(late, LOWEST_MS), 1 - at)
            for late, at in zip(looks.curve(schedule, name), CURVE, strict=True)
            if not math.isnan(late)
        ]
        width = 2.4 if name == "hayate" else 1.3
        style = "--" if name == DIRECT else "-"
        axes.plot(*zip(*points, strict=True), style, color=COLOURS.get(name), linewidth=width, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.invert_yaxis()
    axes.set_yticks([0.5, 0.1, 0.01, 0.001, 0.0001], ["50 %", "90 %", "99 %", "99.9 %", "99.99 %"])
    axes.set_yticks([], minor=True)
    axes.set_xlabel("ms after it was due, as the client reads it", fontsize=9)
    axes.set_title(schedule.replace("/s", " calls a second"), fontsize=10)
    axes.grid(visible=True, alpha=0.25)
    axes.legend(fontsize=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def write(looks: Looks, about: dict[str, Any], stem: Path) -> None:
    """All three files."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".md").write_text(markdown(looks, about), encoding="utf-8")
    stem.with_suffix(".json").write_text(as_json(looks, about), encoding="utf-8")
    draw(looks, f"{about['cores']} × {about['cpu']}, {about['date']}: left is better", stem.with_suffix(".png"))
