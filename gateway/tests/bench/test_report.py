"""The table and the list of what is held to, from figures that are known."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from bench.rounds import Results
from bench.scenarios import Figures
from bench.verdicts import verdicts

from bench import report

ABOUT = {
    "date": "2026-11-22",
    "rounds": 3,
    "times": 2,
    "cpu": "Example 9000",
    "cores": 2,
    "memory_gb": 8.0,
    "kernel": "6.1",
    "python": "3.11",
    "load_before": 0.1,
    "awake": True,
    "commit": "0123abc",
}


def known_results() -> Results:
    """Three rounds in which the machine became slower, and each measured twice what costs CPU; ratios stayed."""
    results = Results()
    results.labels = {
        "direct": "direct line",
        "nginx": "nginx {version}",
        "vllm-router": "vllm-router",
        "hayate": "Hayate",
    }
    results.versions = {"nginx": "1.22.1"}
    results.skipped = {"litellm": "no such version"}
    results.labels["litellm"] = "litellm"
    for number, slower in enumerate((1.0, 1.5, 4.0)):
        for name, cost in (("nginx", 10.0), ("vllm-router", 20.0), ("hayate", 12.5)):
            for scenario in ("paced", "burst", "plain"):
                for drift in (0.9, 1.1):
                    values = {"gateway_us": cost * slower * drift, "identical": 1.0}
                    results.add(name, scenario, Figures(values, round=number))
            crowd = {"gateway_us": cost * slower * 1.3, "open": 2000, "rss_mb": 90}
            results.add(name, "crowd", Figures(crowd, round=number))
            results.add(name, "latency", Figures({"p50_us": 60 * slower, "p99_us": 300 * slower}))
            results.add(name, "held", Figures({"kb_per_stream": cost}))
            results.add(name, "start", Figures({"listen_s": 0.5, "ready_s": 0.6, "idle_mb": 50}))
        results.add("direct", "latency", Figures({"p50_us": 20 * slower, "p99_us": 100 * slower}))
    results.add("vllm-router", "burst", Figures({"gateway_us": 20.0, "identical": 1.0}, Counter({"status 500": 3})))
    return results


def test_ratios_are_taken_within_a_round() -> None:
    found = {each.line: each for each in verdicts(known_results())}

    assert found["paced streams against nginx"].measured == "1.25 ×"
    assert found["paced streams against nginx"].met is True
    assert found["goal: paced streams against nginx"].met is False
    assert found["paced streams against vllm-router"].measured == "0.62 ×"
    assert found["added latency, p50"].measured == "60 µs"
    assert found["a token among 2,000 streams against one among 64"].met is False


def test_what_was_not_measured_is_neither_met_nor_missed() -> None:
    assert {each.word for each in verdicts(Results())} == {"not measured"}


def test_the_report_names_every_contender_its_errors_and_why_one_is_missing() -> None:
    results = known_results()
    text = report.markdown(results, verdicts(results), ABOUT)

    assert "nginx 1.22.1" in text
    assert "skipped: no such version" in text
    assert "vllm-router, burst: 3 × status 500" in text
    assert "12.5" in text
    assert "nan" not in text


def test_columns_line_up_with_wide_letters() -> None:
    table = report.markdown_table(["a", "b"], [["疾風", "1"], ["plain", "22"]])

    assert table.splitlines()[2:] == ["| 疾風  | 1  |", "| plain | 22 |"]


def test_files_are_written_with_every_round(tmp_path: Path) -> None:
    results = known_results()
    stem = tmp_path / "results" / "20261122-example"
    report.write(results, verdicts(results), ABOUT, stem)
    from bench.plot import draw  # Matplotlib: a third of a second that every worker would pay

    draw(results, "example", stem.with_suffix(".png"))

    whole = json.loads(stem.with_suffix(".json").read_text())
    paced = whole["figures"]["hayate"]["paced"]
    assert [each["round"] for each in paced] == [0, 0, 1, 1, 2, 2]
    assert [each["values"]["gateway_us"] for each in paced] == [11.25, 13.75, 16.875, 20.625, 45.0, 55.0]
    assert stem.with_suffix(".md").read_text().startswith("# Side by side, 2026-11-22")
    assert stem.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
