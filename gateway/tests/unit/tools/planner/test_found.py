"""Which GPU a plan is for: as typed, or this machine's, which here is a stand-in for NVML."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayate.tools.nvml import NoGpu
from hayate.tools.planner.arithmetic import GIB
from hayate.tools.planner.found import Card, Machine, card_line, card_of, card_remarks
from tests.support.tables import table
from tests.unit.tools.fake_nvml import MIB, FakeGpu, FakeNvml

DESKTOP = FakeGpu(used=3000, computing=[1000], display=1)


def machine(tmp_path: Path, *gpus: FakeGpu, driver: str = "580.95.05", wsl: bool = False) -> Machine:
    if wsl:
        (tmp_path / "proc/sys/kernel").mkdir(parents=True)
        (tmp_path / "proc/sys/kernel/osrelease").write_text("5.15-microsoft-standard-WSL2", encoding="utf-8")
    return Machine(tmp_path, FakeNvml(*gpus, driver=driver))


def test_what_was_typed_is_not_looked_for(tmp_path: Path) -> None:
    nobody = Machine(tmp_path, FakeNvml(trouble="NVML Shared Library Not Found"))
    card = card_of("24GiB", nobody)
    assert (card.gpu.memory_bytes, card.left_out_bytes, card.found) == (24 * GIB, 0, None)
    assert card.utilization(0.9) == 0.9
    assert [*card_remarks(card, None)] == []
    with pytest.raises(NoGpu, match="No NVIDIA driver"):
        card_of(None, nobody)


def test_the_first_is_taken_unless_another_is_named(tmp_path: Path) -> None:
    here = machine(tmp_path, FakeGpu(), FakeGpu("NVIDIA A100-SXM4-80GB", total=81920, capability=(8, 0)))
    assert card_of(None, here).gpu.name == "rtx 4090"
    second = card_of("GPU1", here).gpu
    assert (second.name, second.capability) == ("a100-sxm4-80gb", 8.0)
    with pytest.raises(NoGpu, match="--gpu gpu2: the driver lists gpu0 to gpu1"):
        card_of("gpu2", here)


def test_a_desktop_and_windows_have_their_share(tmp_path: Path) -> None:
    card = card_of(None, machine(tmp_path, DESKTOP))
    assert card.left_out_bytes == 2000 * MIB
    assert card.utilization(0.9) == 0.89
    assert card.utilization(0.5) == 0.5
    assert card_of(None, machine(tmp_path, FakeGpu(), wsl=True)).left_out_bytes == GIB


def test_what_was_found_is_told_in_a_line(tmp_path: Path) -> None:
    found = card_of(None, machine(tmp_path, DESKTOP)).found
    assert found is not None
    said = card_line(found)
    assert said.en == "Found: NVIDIA GeForce RTX 4090, 23.5 GiB, driver 580.95.05; 2.0 GiB of it left for the desktop"
    assert said.ja == (
        "検出: NVIDIA GeForce RTX 4090（23.5 GiB、ドライバー 580.95.05、うち2.0 GiBはデスクトップ用に除外）"
    )


@table(
    ("driver", "engine", "codes"),
    [
        ("580.95.05", None, ["gpu-in-use"]),
        ("570.10", "vllm", ["gpu-in-use", "old-driver"]),
        ("570.10", "ollama", ["gpu-in-use"]),
        ("", "vllm", ["gpu-in-use"]),
    ],
)
def test_what_is_in_the_way_is_said(tmp_path: Path, driver: str, engine: str | None, codes: list[str]) -> None:
    card = card_of(None, machine(tmp_path, DESKTOP, driver=driver))
    assert [remark.code for remark in card_remarks(card, engine)] == codes


def test_a_card_that_is_all_desktop_is_planned_with_next_to_nothing() -> None:
    tiny = card_of("1GiB", Machine())
    assert Card(tiny.gpu, GIB).utilization(0.9) == 0.05
