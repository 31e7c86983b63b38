"""`make bench ARGS="--against REV"`: what a change costs, in terms of a commit before it.

The rules: (1) a pair is both sides measured within seconds of one another, and only ratios within a pair count; (2) who goes first
alternates from pair to pair (ABBA); (3) every pair has fresh processes, because a process keeps the luck of its memory layout for
life; (4) at least so many pairs, and more for a shape whose interval is too wide, up to a bound; (5) the interval assumes nothing.
"""

from __future__ import annotations

import json
import math
import secrets
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.pairs import WIDE, Ratio, ratio
from bench.report import markdown_table
from bench.scenarios import Plan, measure
from bench.standing import Standing, Stub, start, start_stub
from bench.trees import Side, Tree

SHAPES = ("paced", "burst", "plain")
UNITS = {"paced": "event", "burst": "event", "plain": "request"}
PLAN = Plan(warm_s=0.5, paced_s=3.0, burst_s=2.0)
PAIRS, MOST = 20, 60
AT_MOST = 1.02
START_S = 2.0
AROUND_S = {"paced": 1.3, "burst": 0.2, "plain": 0.2}
"""What a look takes besides its warming up and its window: streams begin spread over one answer's length, and end."""


@dataclass(slots=True)
class Pairs:
    """Everything that was measured: by shape, what a unit cost (before, after) in microseconds."""

    costs: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)

    def ratios(self) -> dict[str, Ratio]:
        """By shape."""
        return {shape: ratio(pairs) for shape, pairs in self.costs.items()}


class Against:
    """One comparison. `pairs` of each shape, then more of those that spread too far, `most` in all."""

    def __init__(  # noqa: PLR0913  what can be told on the command line
        self,
        before: Tree,
        after: Tree,
        home: Path,
        *,
        pairs: int = PAIRS,
        most: int = MOST,
        shapes: Sequence[str] = SHAPES,
        plan: Plan = PLAN,
    ) -> None:
        self.found = Pairs({shape: [] for shape in shapes})
        self._sides = (Side("before", before), Side("after", after))
        self._home = home
        self._pairs = pairs
        self._most = max(most, pairs)
        self._plan = plan
        self._key = f"sk-bench-{secrets.token_hex(24)}"
        self._began = time.perf_counter()

    def estimate_s(self, pairs: int | None = None, shapes: Sequence[str] | None = None) -> float:
        """About how long so many pairs take."""
        looks = sum(
            self._plan.warm_s + AROUND_S[shape] + (self._plan.paced_s if shape == "paced" else self._plan.burst_s)
            for shape in shapes or self.found.costs
        )
        return (self._pairs if pairs is None else pairs) * 2 * (START_S + looks)

    async def run(self) -> Pairs:
        """All pairs. What was started is stopped however this ends."""
        stub = await start_stub(self._home)
        try:
            self._say(f"{self._pairs} pairs: about {self.estimate_s() / 60:.0f} minutes")
            for number in range(self._most):
                shapes = wanted(self.found, self._pairs)
                if not shapes:
                    break
                if number == self._pairs:
                    rest = self.estimate_s(self._most - number, shapes) / 60
                    self._say(
                        f"± {WIDE:.0%} is not reached by {', '.join(shapes)}: more pairs, {rest:.0f} minutes at most"
                    )
                await self._pair(number, shapes, stub)
        finally:
            stub.stop()
        return self.found

    async def _pair(self, number: int, shapes: Sequence[str], stub: Stub) -> None:
        order = self._sides if number % 2 == 0 else self._sides[::-1]
        standing: list[Standing] = []
        try:
            for side in order:
                up, _ = await start(side, self._home, stub, self._key)
                standing.append(up)
            for turn, shape in enumerate(shapes):
                costs = {}
                for each in standing if turn % 2 == 0 else standing[::-1]:
                    figures = await measure(shape, each.bench, self._plan)
                    costs[each.contender.name] = figures.values["gateway_us"]
                    self.found.errors.update(
                        {f"{each.contender.name}, {shape}: {what}": count for what, count in figures.errors.items()}
                    )
                self.found.costs[shape].append((costs["before"], costs["after"]))
        finally:
            for each in standing:
                each.stop()
        self._say(f"pair {number + 1}  " + "  ".join(self._shown(shape) for shape in shapes))

    def _shown(self, shape: str) -> str:
        before, after = self.found.costs[shape][-1]
        return f"{shape} {before:6.1f} {after:6.1f} µs ({after / before:.3f})"

    def _say(self, text: str) -> None:
        print(f"{time.perf_counter() - self._began:6.0f} s  {text}", flush=True)


def wanted(found: Pairs, pairs: int) -> list[str]:
    """The shapes that need another pair."""
    return [shape for shape, costs in found.costs.items() if len(costs) < pairs or ratio(costs).wide]


def verdict(each: Ratio, at_most: float = AT_MOST) -> str:
    """Whether the median keeps to the limit, and how much that says."""
    if math.isnan(each.median):
        return "not measured"
    word = "met" if each.median <= at_most else "MISSED"
    return f"{word}, but the interval is wide" if each.wide else word


def table(found: Pairs, at_most: float = AT_MOST) -> str:
    """The outcome, shape by shape."""
    rows = []
    for shape, each in found.ratios().items():
        costs = [pair for pair in found.costs[shape] if min(pair) > 0]
        before, after = (
            (statistics.median(side) for side in zip(*costs, strict=True)) if costs else (math.nan, math.nan)
        )
        interval = "–" if math.isinf(each.half_width) else f"{each.low:.3f} – {each.high:.3f}"
        rows.append(
            [
                f"{shape}, µs/{UNITS[shape]}",
                f"{before:.1f}",
                f"{after:.1f}",
                f"{each.median:.3f}",
                interval,
                str(each.pairs),
                verdict(each, at_most),
            ]
        )
    return markdown_table(["", "before", "after", "median ratio", "95 %", "pairs", f"≤ {at_most:g}"], rows)


def report(found: Pairs, before: Tree, after: Tree, about: dict[str, Any], at_most: float = AT_MOST) -> str:
    """The whole of it, as Markdown."""
    errors = [f"- {count} × {what}" for what, count in found.errors.most_common()]
    machine = f"{about['cores']} × {about['cpu']}, Linux {about['kernel']}, Python {about['python']}"
    state = f"cores kept awake: {'yes' if about['awake'] else 'no'}; load before: {about['load_before']:.1f}"
    lines = [
        f"# {after.label} against {before.label}, {about['date']}",
        "",
        f"{machine}; {state}.",
        "CPU of the gateway's process tree; a ratio above 1: dearer than before.",
        "",
        table(found, at_most),
        "",
        *(errors or ["No errors; every answer arrived whole."]),
    ]
    return "\n".join(lines) + "\n"


def record(found: Pairs, before: Tree, after: Tree, about: dict[str, Any]) -> str:
    """Every pair, as JSON."""
    ratios = {
        shape: {"median": each.median, "low": each.low, "high": each.high, "pairs": each.pairs}
        if not math.isinf(each.half_width)
        else {"median": each.median, "low": None, "high": None, "pairs": each.pairs}
        for shape, each in found.ratios().items()
    }
    whole = {
        "about": about,
        "before": before.label,
        "after": after.label,
        "ratios": ratios,
        "pairs_us": found.costs,
        "errors": dict(found.errors),
    }
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"
