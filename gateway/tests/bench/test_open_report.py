"""The open loop's tables, figures and picture."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

from bench.open_looks import CURVE, FIRST, PLAIN, TOKENS, Look, Looks
from bench.open_report import load, markdown, write

ABOUT: dict[str, Any] = {
    "date": "2026-11-29",
    "cores": 2,
    "cpu": "x",
    "memory_gb": 4,
    "kernel": "6",
    "python": "3.11",
    "commit": "abc",
    "load_before": 0.2,
    "awake": True,
    "looks": 1,
    "seconds": 5.0,
    "interval_s": 0.06,
}


def _looks() -> Looks:
    looks = Looks(labels={"direct": "the line", "nginx": "nginx 1", "litellm": "litellm 1"})
    for name, late in (("direct", 0.1), ("nginx", 0.35)):
        look = Look(
            {FIRST: [20 + late, math.nan, math.nan], TOKENS: [late, 10 * late, 100 * late], PLAIN: [late] * 3},
            curve=[late * (1 + n) for n in range(len(CURVE))],
            begun_late_ms=0.01,
            cores={"gateway": 0.1, "stub": 0.2, "client": 0.3},
            load=0.5,
        )
        looks.add("10/s", name, look)
        crowd = Look({"64 at once, first": [25.0 + late, math.nan, math.nan]}, {"64 at once, first": 31.0})
        looks.add("herds", name, crowd)
    return looks


def test_the_table_says_what_each_adds_to_the_direct_line() -> None:
    text = markdown(_looks(), ABOUT)

    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    assert ["the line: not added, but its own", "20 / – / –", "0.10 / 1.0 / 10", "0.10 / 0.10 / 0.10"] in rows
    assert ["nginx 1", "0.25 / – / –", "0.25 / 2.5 / 25", "0.25 / 0.25 / 0.25"] in rows
    assert ["nginx 1", "25 / 31"] in rows
    assert ["10/s", "nginx", "0.10 / 0.20 / 0.30", "0.01", "0"] in rows
    assert "- every answer arrived whole" in text


def test_answers_that_were_not_whole_and_who_did_not_take_part_are_named() -> None:
    looks = _looks()
    looks.of("10/s", "nginx")[0].errors = Counter({"status 503": 3})
    looks.skipped["litellm"] = "not to be had"
    looks.compiled = False

    text = markdown(looks, ABOUT)

    assert "- nginx, 10/s: 3 × status 503" in text
    assert "- litellm: skipped: not to be had" in text
    assert "no C compiler was found" in text
    assert "arrived whole" not in text


def test_all_three_files_are_written_and_the_figures_are_json(tmp_path: Path) -> None:
    write(_looks(), ABOUT, tmp_path / "new" / "20261129-x-open")

    found = json.loads((tmp_path / "new" / "20261129-x-open.json").read_text())
    assert found["looks"]["10/s"]["nginx"][0]["quantiles"][FIRST] == [20.35, None, None]
    assert len(found["curve"]) == len(found["looks"]["10/s"]["nginx"][0]["curve"])
    assert (tmp_path / "new" / "20261129-x-open.md").read_text() == markdown(_looks(), ABOUT)
    assert (tmp_path / "new" / "20261129-x-open.png").read_bytes().startswith(b"\x89PNG")


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    looks = _looks()
    looks.of("10/s", "nginx")[0].memory = [(0.0, 9.5)]
    looks.of("10/s", "nginx")[0].errors = Counter({"status 503": 3})
    write(looks, ABOUT, tmp_path / "open")

    found, about = load(tmp_path / "open.json")

    assert about == ABOUT
    assert markdown(found, about) == markdown(looks, ABOUT)
    assert found.of("10/s", "nginx")[0].memory == [(0.0, 9.5)]
    assert found.of("10/s", "nginx")[0].errors == {"status 503": 3}


def _standing(kb: list[float]) -> Looks:
    looks = Looks(labels={"direct": "the line", "hayate": "Hayate"})
    for name, late in (("direct", 0.1), ("hayate", 0.35)):
        look = Look({TOKENS: [late, 2 * late, 3 * late]}, curve=[late] * len(CURVE), load=0.5)
        look.minutes = [[late, 2 * late, 3 * late]] * 2
        look.memory = [(5.0 * at, each) for at, each in enumerate(kb)] if name == "hayate" else []
        looks.add("9,500 streams", name, look)
    return looks


def test_streams_that_stand_are_shown_minute_by_minute_with_what_they_hold() -> None:
    text = markdown(_standing([10.0] * 23 + [10.1]), ABOUT)

    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    assert ["hayate", "2", "0.25 / 0.50 / 0.75", "10.10"] in rows
    assert ["direct", "1", "0.10 / 0.20 / 0.30", "–"] in rows
    assert "hayate, 9,500 streams: 10.00 KB a stream at first, 10.10 at last" in text
    assert "flat (at most 2%)" in text


def test_memory_that_grows_is_called_so() -> None:
    assert "NOT FLAT" in markdown(_standing([10 + 0.1 * at for at in range(24)]), ABOUT)
