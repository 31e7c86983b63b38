"""The open loop's table, as Markdown that also reads well on a terminal, its figures as JSON, and its picture."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.flat import growth
from bench.open_looks import CURVE, FIRST, PLAIN, QUANTILES, TOKENS, Look, Looks, median
from bench.report import markdown_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DIRECT, STREAMS = "direct", " streams"
"""The contender that the others are told in terms of, and how the name of a schedule ends whose streams stand."""
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
FLAT_SHARE = 0.02
"""By how much a stream's memory may grow over the second half of a look: 2 % of what it holds."""


def ms(value: float) -> str:
    """Milliseconds, with two figures that mean something."""
    if math.isnan(value):
        return "–"
    if abs(value) >= 10:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2f}"


def three(values: list[float]) -> str:
    """Percentiles beside each other; those that aren't shown as dashes."""
    return "–" if all(map(math.isnan, values)) else " / ".join(ms(value) for value in values)


def _names(looks: Looks, schedule: str) -> list[str]:
    return [name for name in looks.labels if name in looks.found[schedule]]


def added_table(looks: Looks, schedule: str) -> str:
    """What each adds to the direct line; the direct line itself as it is."""
    waits = (FIRST, TOKENS, PLAIN)
    rows = []
    for name in _names(looks, schedule):
        if name == DIRECT:
            line = [[own(looks, schedule, kind, at) for at in range(len(QUANTILES))] for kind in waits]
            rows.append([f"{looks.labels[name]}: not added, but its own", *map(three, line)])
        else:
            rows.append([looks.labels[name], *(three(looks.added(schedule, name, kind)) for kind in waits)])
    heads = [f"{kind}{' late' if kind == TOKENS else ''}, ms p50 / p99 / p99.9" for kind in waits]
    return markdown_table([f"{schedule}, added", *heads], rows)


def own(looks: Looks, schedule: str, kind: str, at: int) -> float:
    """The direct line's own wait at one of QUANTILES, ms: the median of all looks."""
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
        cells = [three([looks.middle(schedule, name, each), looks.worst(schedule, name, each)]) for each in groups]
        rows.append([looks.labels[name], *cells])
    return markdown_table(["first token, ms p50 / last", *groups], rows)


def standing_table(looks: Looks, schedule: str) -> str:
    """Minute by minute: how late tokens were over the direct line, and what a stream held in memory."""
    rows = []
    line = [own(looks, schedule, TOKENS, at) for at in range(len(QUANTILES))]
    for name in _names(looks, schedule):
        for look in looks.of(schedule, name):
            for minute, late in enumerate(look.minutes):
                held = [kb for since_s, kb in look.memory if minute * 60 <= since_s < (minute + 1) * 60]
                added = late if name == DIRECT else [mine - base for mine, base in zip(late, line, strict=True)]
                rows.append([name, str(minute + 1), three(added), f"{held[-1]:.2f}" if held else "–"])
    return markdown_table(["", "minute", "a token late, ms p50 / p99 / p99.9", "KB a stream, at its end"], rows)


def memory_lines(looks: Looks, schedule: str) -> list[str]:
    """What a stream holds, and whether that grows."""
    lines = []
    for name in _names(looks, schedule):
        for look in looks.of(schedule, name):
            if look.memory:
                more, last_kb = growth(look.memory), look.memory[-1][1]
                word = "flat" if more <= FLAT_SHARE * last_kb else "NOT FLAT"
                lines.append(
                    f"- {name}, {schedule}: {look.memory[0][1]:.2f} KB a stream at first, {last_kb:.2f} at last; "
                    f"by a straight line {more:+.2f} KB over the second half: {word} (at most {FLAT_SHARE:.0%})"
                )
    return lines


def headroom_table(looks: Looks) -> str:
    """How busy each side was, and whether the client kept to its schedule."""
    rows = []
    for schedule in looks.found:
        for name in _names(looks, schedule):
            found = looks.of(schedule, name)
            cores = [median([look.cores.get(who, math.nan) for look in found]) for who in ("gateway", "stub", "client")]
            late = median([look.begun_late_ms for look in found])
            tokens = median([look.counted.get(TOKENS, 0) for look in found])
            rows.append([schedule, name, " / ".join(f"{each:.2f}" for each in cores), ms(late), f"{tokens:,.0f}"])
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
        lines += memory_lines(looks, schedule)
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
    tables += [standing_table(looks, schedule) for schedule in looks.found if schedule.endswith(STREAMS)]
    body = "\n\n".join([*tables, headroom_table(looks), notes(looks)])
    return f"""# Calls that come as they come, {about["date"]}

{facts}; commit {about["commit"]}; load average before the run {about["load_before"]:.2f},
as looks began {min(loads, default=math.nan):.1f} to {max(loads, default=math.nan):.1f}, this run's own included;
idle cores {"kept awake" if about["awake"] else "let sleep"}.
Medians of {about["looks"]} look(s) of {about["seconds"]:g} s, {about["interval_s"]:g} s between a stream's tokens.
Waits count from the schedule. Method: [README.md](../README.md).

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
            schedule: {
                name: [{**asdict(look), "errors": dict(look.errors)} for look in found] for name, found in each.items()
            }
            for schedule, each in looks.found.items()
        },
    }
    return json.dumps(plain(whole), indent=1, ensure_ascii=False) + "\n"


def load(path: Path) -> tuple[Looks, dict[str, Any]]:
    """What `as_json` has written: the looks, and what is said of the run."""
    whole = json.loads(path.read_text(encoding="utf-8"))

    def look(fields: dict[str, Any]) -> Look:
        known = {name: _known(each) for name, each in fields.items()}
        memory = [(since_s, kb) for since_s, kb in known.get("memory", [])]
        return Look(**{**known, "errors": Counter[str](known["errors"]), "memory": memory})

    found = {
        schedule: {name: list(map(look, each)) for name, each in contenders.items()}
        for schedule, contenders in whole["looks"].items()
    }
    return Looks(found, whole["labels"], whole["skipped"], whole["compiled"]), whole["about"]


def _known(value: Any) -> Any:
    """JSON has no NaN: it stands there as null."""
    if isinstance(value, dict):
        return {name: _known(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_known(each) for each in value]
    return math.nan if value is None else value


def draw(looks: Looks, title: str, path: Path) -> None:
    """A panel a rate: of how many tokens how late, both on scales of powers of ten."""
    from matplotlib.figure import Figure

    shown = [schedule for schedule in looks.found if schedule != "herds"] or list(looks.found)
    figure = Figure(figsize=(5.2 * len(shown) + 1, 4.6), layout="constrained")
    panels = figure.subplots(1, len(shown), squeeze=False, sharey=True)
    for axes, schedule in zip(panels.flat, shown, strict=True):
        _panel(axes, looks, schedule)
    panels.flat[0].set_ylabel("share of tokens that are not later", fontsize=9)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=120)


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
    axes.set_title(schedule.replace("/s", " calls a second").replace(STREAMS, " streams open"), fontsize=10)
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
