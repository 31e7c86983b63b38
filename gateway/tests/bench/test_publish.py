"""What stands between the markers of both READMEs follows from the newest results."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from bench.open_looks import CURVE, FIRST, TOKENS, Look, Looks
from bench.open_report import write
from bench.publish import BEGIN, END, ENGLISH, JAPANESE, TONGUES, Tongue, between, publish, section, with_section
from bench.standing import ROOT

from tests.bench.test_open_report import ABOUT

LABELS = {
    "direct": "direct line (no gateway)",
    "vllm-router": "vllm-router 1 (Rust), round_robin",
    "hayate": "**Hayate 1**, keys, limits, store",
}
TIMES = {"direct": 0.1, "vllm-router": 0.5, "hayate": 0.3}


def _open(folder: Path, name: str, *, faults: int = 0) -> None:
    looks = Looks(labels=LABELS)
    for who, late in TIMES.items():
        look = Look({TOKENS: [late, 2 * late, 3 * late], FIRST: [20 + late] * 3}, curve=[late] * len(CURVE), load=0.5)
        look.errors = Counter({"status 503": faults} if faults and who == "vllm-router" else {})
        for schedule in ("50/s", "100/s", "135/s"):
            looks.add(schedule, who, look)
        groups = [f"{size} at once, first" for size in (64, 256)]
        looks.add("herds", who, Look({each: [25 + late] * 3 for each in groups}, dict.fromkeys(groups, 31.0)))
    write(looks, {**ABOUT, "looks": 5}, folder / name)


def _standing(folder: Path, name: str) -> None:
    looks = Looks(labels=LABELS)
    for who, late in TIMES.items():
        look = Look({TOKENS: [late, 2 * late, 3 * late]}, curve=[late] * len(CURVE), load=0.5)
        look.memory = [(0.0, 10.0), (1800.0, 10.24)]
        looks.add("9,500 streams", who, look)
    write(looks, {**ABOUT, "seconds": 1800.0, "interval_s": 1.0}, folder / name)


def _closed(folder: Path, name: str, microseconds: dict[str, list[float]]) -> None:
    figures = {who: {"plain": [{"values": {"gateway_us": each}} for each in us]} for who, us in microseconds.items()}
    whole = {"about": ABOUT, "versions": {"vllm-router": "0.1"}, "figures": figures}
    (folder / name).write_text(json.dumps(whole), encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "bench/results"
    folder.mkdir(parents=True)
    for tongue in TONGUES:
        (tmp_path / tongue.file).write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    return tmp_path


def test_the_newest_open_loop_is_shown_with_its_highest_rates_its_picture_and_its_herds(root: Path) -> None:
    _open(root / "bench/results", "20261128-x-2cpu-open")
    _open(root / "bench/results", "20261129-x-2cpu-open")

    publish(root)

    english, japanese = ((root / tongue.file).read_text(encoding="utf-8") for tongue in TONGUES)
    assert english.startswith(f"before\n{BEGIN}\n")
    assert english.endswith(f"{END}\nafter\n")
    assert "old" not in english
    assert "makes 100 and 135 calls a second" in english
    assert "some 1,000 and 1,300 streams" in english
    assert "50/s" not in english
    for text in (english, japanese):
        assert "(bench/results/20261129-x-2cpu-open.png)" in text
        assert "(bench/results/20261129-x-2cpu-open.md)" in text
        assert "20261128" not in text
        assert text.count("0.20 / 0.40 / 0.60") == 2  # what Hayate adds to a token, at both rates
        assert "25 / 31" in text
    assert "毎秒100件と135件を呼び出します（同時に約1,000本と1,300本）" in japanese
    assert "**Hayate 1**（キー、制限、使用量の保存）" in japanese
    assert "直結（そのものの値）" in japanese


def test_streams_that_stand_and_plain_requests_have_their_lines_once_they_were_measured(root: Path) -> None:
    folder = root / "bench/results"
    _open(folder, "20261129-x-2cpu-open")
    before = section(root, ENGLISH)
    _standing(folder, "20261129-x-2cpu-standing")
    _closed(folder, "20261128-x-2cpu.json", {"hayate": [9.0], "vllm-router": [1.0]})
    _closed(folder, "20261129-x-2cpu.json", {"hayate": [60.0, 66.0, 90.0], "vllm-router": [60.0, 60.0, 60.0]})

    after = section(root, ENGLISH)

    assert "KB at first" not in before
    assert "plain request" not in before
    assert "9,500 streams open for 30 minutes" in after
    assert "late by 0.20 / 0.40 / 0.60 ms" in after
    assert "10.0 KB at first, 10.2 KB at last" in after
    assert "1.10 × the processor time that it costs vllm-router 0.1" in after
    assert "9,500本のストリームを30分間" in section(root, JAPANESE)


def test_answers_that_were_not_whole_are_told(root: Path) -> None:
    _open(root / "bench/results", "20261129-x-2cpu-open", faults=3)

    assert "Not every answer of vllm-router 1 (Rust), round_robin was whole: 9 × status 503." in section(root, ENGLISH)
    assert "vllm-router 1（Rust）の応答には、完全でないものがありました（9 × status 503）。" in section(root, JAPANESE)


@pytest.mark.parametrize("tongue", TONGUES, ids=lambda tongue: tongue.file)
def test_nothing_is_said_before_anything_was_measured(root: Path, tongue: Tongue) -> None:
    _closed(root / "bench/results", "20261129-x-2cpu.json", {"hayate": [9.0], "vllm-router": [1.0]})

    assert section(root, tongue) == ""


def test_a_text_without_both_markers_is_refused() -> None:
    for text in ("nothing", BEGIN, END, f"{END} {BEGIN}"):
        with pytest.raises(ValueError, match="bench"):
            with_section(text, "new")


@pytest.mark.parametrize("tongue", TONGUES, ids=lambda tongue: tongue.file)
def test_the_readmes_say_what_the_newest_results_say(tongue: Tongue) -> None:
    text = (ROOT / tongue.file).read_text(encoding="utf-8")

    assert between(text) == section(ROOT, tongue)
