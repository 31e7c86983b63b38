"""The rounds: every contender is started, measured scenario by scenario, and stopped, in an order that turns.

The rule: within a round one scenario is run on all contenders before the next scenario, so that what is compared was
measured within seconds; a round begins with fresh processes.
"""

from __future__ import annotations

import math
import secrets
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from bench.environments import Unavailable
from bench.peers import Contender
from bench.proofs import Proof, prove
from bench.scenarios import REPEATED, Figures, Plan, measure
from bench.standing import Standing, Stub, start, start_stub

SCENARIOS = ("held", "paced", "burst", "plain", "latency", "crowd")


@dataclass(slots=True)
class Results:
    """Everything that was measured: figures[contender][scenario] has as many entries a round as it was measured times."""

    figures: dict[str, dict[str, list[Figures]]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    proofs: list[Proof] = field(default_factory=list)

    def add(self, contender: str, scenario: str, figures: Figures) -> None:
        """One scenario, measured once more."""
        self.figures.setdefault(contender, {}).setdefault(scenario, []).append(figures)

    def values(self, contender: str, scenario: str, key: str, number: int | None = None) -> list[float]:
        """One figure as often as it was measured, or as it was in round `number`."""
        found = self.figures.get(contender, {}).get(scenario, [])
        return [each.values.get(key, math.nan) for each in found if number is None or each.round == number]

    def median(self, contender: str, scenario: str, key: str) -> float:
        """The median of all; NaN when it was not measured."""
        return _median(self.values(contender, scenario, key))

    def ratio(self, contender: str, other: str, scenario: str, key: str) -> float:
        """The median of one contender's figures, each divided by the other's that was measured beside it."""
        pairs = zip(self.values(contender, scenario, key), self.values(other, scenario, key), strict=False)
        return _median([mine / theirs for mine, theirs in pairs if theirs])

    def growth(self, contender: str) -> float:
        """What a token costs among 2,000 streams, in terms of what it cost among 64 in the same round."""
        crowds = self.figures.get(contender, {}).get("crowd", [])
        few = [_median(self.values(contender, "paced", "gateway_us", each.round)) for each in crowds]
        return _median([crowd.values["gateway_us"] / paced for crowd, paced in zip(crowds, few, strict=True) if paced])

    def errors(self, contender: str) -> Iterator[tuple[str, str, int]]:
        """(scenario, what went wrong, how often) over all rounds."""
        for scenario, rounds in self.figures.get(contender, {}).items():
            total: Counter[str] = sum((each.errors for each in rounds), Counter())
            for what, count in total.most_common():
                yield scenario, what, count


def _median(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return statistics.median(known) if known else math.nan


class Rounds:
    """One run of the benchmark."""

    def __init__(self, plan: Plan, contenders: list[Contender], home: Path) -> None:
        self.plan = plan
        self.home = home
        self.results = Results()
        self.key = f"sk-bench-{secrets.token_hex(24)}"
        self._contenders = contenders
        self._began = time.perf_counter()

    async def run(self) -> Results:
        """All rounds. What was started is stopped however this ends."""
        self._prepare()
        stub = await start_stub(self.home)
        try:
            for number in range(self.plan.rounds):
                await self._round(number, stub)
        finally:
            stub.stop()
        return self.results

    def _prepare(self) -> None:
        for contender in list(self._contenders):
            self.results.labels[contender.name] = contender.label
            try:
                contender.prepare(self.home)
                self.results.versions[contender.name] = contender.version()
            except Unavailable as reason:
                self._skip(contender, str(reason))

    def _skip(self, contender: Contender, reason: str) -> None:
        self._say(f"{contender.name}: skipped: {reason}")
        self.results.skipped[contender.name] = reason
        self._contenders.remove(contender)

    async def _round(self, number: int, stub: Stub) -> None:
        turned = self._contenders[number % len(self._contenders) :] + self._contenders[: number % len(self._contenders)]
        standing: list[Standing] = []
        try:
            for contender in turned:
                try:
                    standing.append(await self._start(contender, stub))
                except Unavailable as reason:
                    self._skip(contender, str(reason))
            for scenario in SCENARIOS:
                for time_ in range(self.plan.times if scenario in REPEATED else 1):
                    for each in standing:
                        if not _sits_out(scenario, each, self.plan, time_):
                            await self._measure(number, scenario, each)
            for each in standing:
                if each.contender.keeps_books and each.started is not None:
                    answers = self._answers(each.contender.name, number)
                    self.results.proofs = prove(each.bench.target, each.started.stdout, answers)
        finally:
            for each in standing:
                each.stop()

    def _answers(self, name: str, number: int) -> int:
        """How many answers of one round the client has seen whole."""
        measured = chain.from_iterable(self.results.figures.get(name, {}).values())
        return round(sum(each.values.get("answers", 0) for each in measured if each.round == number))

    async def _measure(self, number: int, scenario: str, standing: Standing) -> None:
        name = standing.contender.name
        figures = replace(await measure(scenario, standing.bench, self.plan), round=number)
        self.results.add(name, scenario, figures)
        shown = {"held": "kb_per_stream", "latency": "p50_us"}.get(scenario, "gateway_us")
        unit = {"held": "KB/stream", "latency": "us p50", "plain": "us/request"}.get(scenario, "us/event")
        trouble = f"  errors: {dict(figures.errors)}" if figures.errors else ""
        self._say(
            f"round {number + 1}/{self.plan.rounds}  {scenario:8}{name:15}{figures.values[shown]:10.1f} {unit}{trouble}"
        )

    def _say(self, text: str) -> None:
        print(f"{time.perf_counter() - self._began:6.0f} s  {text}", flush=True)

    async def _start(self, contender: Contender, stub: Stub) -> Standing:
        standing, figures = await start(contender, self.home, stub, self.key)
        if figures is not None:
            self.results.add(contender.name, "start", figures)
        return standing


def _sits_out(scenario: str, standing: Standing, plan: Plan, time_: int) -> bool:
    if time_ and standing.contender.heavy:
        return True
    if scenario == "crowd":
        return not plan.crowd or standing.contender.heavy
    return scenario == "held" and standing.started is None
