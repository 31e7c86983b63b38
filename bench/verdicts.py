"""What Hayate holds itself to, line by line, from the figures of one run. Limits are here and nowhere else."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.rounds import Results

OURS, FLOOR, DIRECT = "hayate", "nginx", "direct"
RUST = ("sglang-router", "vllm-router")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the list; `met` is None when this run did not measure it."""

    line: str
    measured: str
    limit: str
    met: bool | None

    @property
    def word(self) -> str:
        """How it reads."""
        return {True: "met", False: "MISSED", None: "not measured"}[self.met]


def _at_most(line: str, value: float, limit: float, form: str) -> Verdict:
    if math.isnan(value):
        return Verdict(line, "–", "≤ " + form.format(limit), None)
    return Verdict(line, form.format(value), "≤ " + form.format(limit), value <= limit)


def _below_rust(results: Results, what: str, scenario: str) -> list[Verdict]:
    return [
        _at_most(f"{what} against {router}", results.ratio(OURS, router, scenario, "gateway_us"), 1.0, "{:.2f} ×")
        for router in RUST
        if router in results.figures
    ] or [Verdict(f"{what} against the Rust routers", "–", "≤ 1.00 ×", None)]


def verdicts(results: Results) -> list[Verdict]:
    """Every line, the goals after the limits they sharpen."""
    nginx = {scenario: results.ratio(OURS, FLOOR, scenario, "gateway_us") for scenario in ("paced", "burst", "plain")}
    added = {
        key: results.median(OURS, "latency", key) - results.median(DIRECT, "latency", key)
        for key in ("p50_us", "p99_us")
    }
    crowd_errors = sum(count for scenario, _, count in results.errors(OURS) if scenario == "crowd")
    all_errors = sum(count for _, _, count in results.errors(OURS))
    open_streams = results.median(OURS, "crowd", "open")
    no_crowd = math.isnan(open_streams)
    books = all(proof.holds for proof in results.proofs) if results.proofs else None
    return [
        Verdict(
            "keys checked, calls logged, tokens counted meanwhile", "see below" if results.proofs else "–", "all", books
        ),
        _at_most("paced streams against nginx", nginx["paced"], 1.5, "{:.2f} ×"),
        _at_most("goal: paced streams against nginx", nginx["paced"], 1.2, "{:.2f} ×"),
        *_below_rust(results, "paced streams", "paced"),
        _at_most("burst streams against nginx", nginx["burst"], 1.5, "{:.2f} ×"),
        _at_most("plain request", results.median(OURS, "plain", "gateway_us"), 100.0, "{:.0f} µs"),
        *_below_rust(results, "goal: plain request", "plain"),
        _at_most("added latency, p50", added["p50_us"], 150.0, "{:.0f} µs"),
        _at_most("added latency, p99", added["p99_us"], 1000.0, "{:.0f} µs"),
        _at_most("memory of an open stream", results.median(OURS, "held", "kb_per_stream"), 16.0, "{:.1f} KB"),
        _at_most("concurrent streams that failed, of 2,000", math.nan if no_crowd else crowd_errors, 0, "{:.0f}"),
        _at_most("a token among 2,000 streams against one among 64", results.growth(OURS), 1.2, "{:.2f} ×"),
        _at_most("start to listening", results.median(OURS, "start", "listen_s"), 1.5, "{:.2f} s"),
        _at_most("idle memory", results.median(OURS, "start", "idle_mb"), 80.0, "{:.0f} MB"),
        _at_most("errors in all scenarios", all_errors if OURS in results.figures else math.nan, 0, "{:.0f}"),
    ]
