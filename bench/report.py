"""The table, as Markdown that also reads well on a terminal, and the same figures as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

from bench.rounds import Results
from bench.verdicts import DIRECT, FLOOR, Verdict


def _number(value: float, form: str = "{:.1f}") -> str:
    if math.isnan(value):
        return "–"
    if value >= 10_000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.0f}" if value >= 100 else form.format(value)


def _width(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up."""
    widths = [max(_width(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        return (
            "| "
            + " | ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
            + " |"
        )

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(head), rule, *(line(row) for row in rows)])


def _names(results: Results) -> list[str]:
    return [name for name in results.labels if name in results.figures]


def _label(results: Results, name: str) -> str:
    return results.labels[name].format(version=results.versions.get(name, ""))


def _with_ratio(results: Results, name: str, scenario: str) -> str:
    shown = _number(results.median(name, scenario, "gateway_us"))
    ratio = results.ratio(name, FLOOR, scenario, "gateway_us")
    return shown if math.isnan(ratio) or name == FLOOR else f"{shown} ({_number(ratio, '{:.2f}')} ×)"


def cost_table(results: Results) -> str:
    """CPU, latency and memory: the table of figures that decide."""
    head = ["", "paced µs/event", "burst µs/event", "plain µs/request", "1 conn p50 µs", "p99 µs", "KB/open stream"]
    rows = []
    for name in _names(results):
        latency = [_number(results.median(name, "latency", key), "{:.0f}") for key in ("p50_us", "p99_us")]
        costs = [_with_ratio(results, name, scenario) for scenario in ("paced", "burst", "plain")]
        rows.append([_label(results, name), *costs, *latency, _number(results.median(name, "held", "kb_per_stream"))])
    rows += [[name, f"skipped: {reason}", *[""] * 5] for name, reason in results.skipped.items()]
    return markdown_table(head, rows)


def crowd_table(results: Results) -> str:
    """2,000 streams, start and idle memory."""
    head = [
        "",
        "open",
        "µs/event",
        "× its own at 64",
        "errors",
        "memory MB",
        "listening s",
        "first answer s",
        "idle MB",
    ]
    rows = []
    for name in _names(results):
        if name == DIRECT:
            continue
        crowd = results.median(name, "crowd", "gateway_us")
        failed = sum(count for scenario, _, count in results.errors(name) if scenario == "crowd")
        measured = not math.isnan(crowd)
        start = [_number(results.median(name, "start", key), "{:.2f}") for key in ("listen_s", "ready_s")]
        rows.append(
            [
                _label(results, name),
                _number(results.median(name, "crowd", "open"), "{:.0f}"),
                _number(crowd),
                _number(results.growth(name), "{:.2f}"),
                str(failed) if measured else "–",
                _number(results.median(name, "crowd", "rss_mb")),
                *start,
                _number(results.median(name, "start", "idle_mb")),
            ]
        )
    return markdown_table(head, rows)


def headroom_table(results: Results) -> str:
    """How busy each side was: the share of one core."""
    head = ["cores in use: gateway / stub / client", "paced", "burst", "plain", "2,000 streams"]
    rows = []
    for name in _names(results):
        cells = []
        for scenario in ("paced", "burst", "plain", "crowd"):
            shares = [results.median(name, scenario, f"{who}_share") for who in ("gateway", "stub", "client")]
            cells.append("–" if math.isnan(shares[1]) else " / ".join(f"{share:.2f}" for share in shares))
        rows.append([_label(results, name), *cells])
    return markdown_table(head, rows)


def verdict_table(found: Sequence[Verdict]) -> str:
    """What to hold to, and whether it held."""
    return markdown_table(
        ["what to hold to", "measured", "limit", ""],
        [[each.line, each.measured, each.limit, each.word] for each in found],
    )


def _books(results: Results) -> list[str]:
    """What was checked of Hayate's own records."""
    return [f"- Hayate, {proof.text}{'' if proof.holds else ' (DOES NOT HOLD)'}" for proof in results.proofs]


def notes(results: Results) -> str:
    """What was checked, errors of every contender, and who altered answers."""
    lines = []
    for name in _names(results):
        lines += [f"- {name}, {scenario}: {count} × {what}" for scenario, what, count in results.errors(name)]
        identical = [results.median(name, scenario, "identical") for scenario in ("paced", "burst", "plain")]
        if any(share < 1 for share in identical):
            lines.append(f"- {name}: answers arrive whole but in other bytes than the engine's")
    lines = lines or ["- no errors; every answer arrived byte for byte"]
    return "\n".join([*_books(results), *lines])


def markdown(results: Results, found: Sequence[Verdict], about: dict[str, Any]) -> str:
    """The whole report."""
    facts = (
        f"{about['cores']} × {about['cpu']}, {about['memory_gb']} GB, Linux {about['kernel']}, Python {about['python']}"
    )
    return f"""# Side by side, {about["date"]}

{facts}; commit {about["commit"]}; load average before the run {about["load_before"]:.2f};
idle cores {"kept awake" if about["awake"] else "let sleep"}.
Medians of {about["rounds"]} round(s), with CPU per token and request measured {about["times"]} time(s) in each;
in brackets: times nginx, measured beside it. Method: [README.md](../README.md).

{cost_table(results)}

{crowd_table(results)}

{verdict_table(found)}

{headroom_table(results)}

{notes(results)}
"""


def as_json(results: Results, found: Sequence[Verdict], about: dict[str, Any]) -> str:
    """Every figure, as often as it was measured."""

    def plain(value: float) -> float | None:
        return None if math.isnan(value) else round(value, 4)

    figures = {
        name: {
            scenario: [
                {
                    "round": each.round,
                    "values": {key: plain(value) for key, value in each.values.items()},
                    "errors": dict(each.errors),
                }
                for each in rounds
            ]
            for scenario, rounds in scenarios.items()
        }
        for name, scenarios in results.figures.items()
    }
    found_json = [
        {"line": each.line, "measured": each.measured, "limit": each.limit, "met": each.met} for each in found
    ]
    whole = {
        "about": about,
        "versions": results.versions,
        "skipped": results.skipped,
        "verdicts": found_json,
        "proofs": [each.text for each in results.proofs],
        "figures": figures,
    }
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def write(results: Results, found: Sequence[Verdict], about: dict[str, Any], stem: Path) -> None:
    """Both files; `stem` has no suffix."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".md").write_text(markdown(results, found, about), encoding="utf-8")
    stem.with_suffix(".json").write_text(as_json(results, found, about), encoding="utf-8")
