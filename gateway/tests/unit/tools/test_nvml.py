"""What is made of NVML's answers. The module is a stand-in: no test here has seen a GPU."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

import pytest

from hayate.tools.nvml import DESKTOP_BYTES, FoundGpu, NoGpu, find_gpus
from tests.support.tables import table
from tests.unit.tools.fake_nvml import MIB, FakeGpu, FakeNvml


def only(gpu: FakeGpu, *, wsl: bool = False, driver: str | None = "580.95.05") -> FoundGpu:
    nvml = FakeNvml(gpu, driver=driver)
    (found,) = find_gpus(wsl=wsl, nvml=nvml)
    assert nvml.open == 0, "left open"
    return found


def test_a_card_that_does_nothing_is_whole_but_for_what_the_driver_keeps() -> None:
    found = only(FakeGpu())
    assert found == FoundGpu(0, "NVIDIA GeForce RTX 4090", 24104 * MIB, 0, 0, "580.95.05", 8.9, desktop=False)
    assert found.usable_bytes == found.memory_bytes


def test_what_draws_is_left_out_and_what_computes_is_told() -> None:
    found = only(FakeGpu(used=3000, computing=[2000, None, 100], display=1))
    assert (found.drawn_bytes, found.computed_bytes) == (900 * MIB, 2100 * MIB)
    assert found.left_out_bytes == DESKTOP_BYTES
    assert only(FakeGpu(used=3000, display=1)).left_out_bytes == 3000 * MIB


def test_windows_keeps_a_share_though_no_screen_is_seen() -> None:
    assert only(FakeGpu(), wsl=True).left_out_bytes == DESKTOP_BYTES


def test_a_driver_that_tells_little_is_taken_at_that() -> None:
    found = only(FakeGpu(b"Tesla T4", reserved=None, computing=None, capability=None, display=None), driver=None)
    assert found == FoundGpu(0, "Tesla T4", 24564 * MIB, 0, 0)


def test_a_desktop_larger_than_the_card_leaves_nothing_rather_than_less() -> None:
    assert only(FakeGpu(total=900, reserved=100), wsl=True).usable_bytes == 0


def test_every_card_is_listed_in_the_drivers_order() -> None:
    found = find_gpus(wsl=False, nvml=FakeNvml(FakeGpu(), FakeGpu("NVIDIA L4", total=23034)))
    assert [(each.index, each.name) for each in found] == [(0, "NVIDIA GeForce RTX 4090"), (1, "NVIDIA L4")]


@table(
    ("nvml", "said"),
    [
        (FakeNvml(trouble="NVML Shared Library Not Found"), "No NVIDIA driver answers here (NVML Shared Library Not Found)"),
        (FakeNvml(), "lists no GPU"),
        (FakeNvml(FakeGpu(total=-1)), "does not tell of its GPU (GPU is lost)"),
    ],
)  # fmt: skip
def test_without_a_gpu_it_is_said_why_and_what_to_give(nvml: Any, said: str) -> None:
    with pytest.raises(NoGpu, match="--gpu 24GiB") as caught:
        find_gpus(wsl=False, nvml=nvml)
    assert said in caught.value.english
    assert "`--gpu 24GiB`のように指定してください" in caught.value.japanese
    assert nvml.open == 0


def test_without_the_library_its_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)  # as if it were not installed
    with pytest.raises(NoGpu, match="nvidia-ml-py, which finds the GPU, is not installed"):
        find_gpus(wsl=False)


@pytest.mark.skipif(importlib.util.find_spec("pynvml") is None, reason="nvidia-ml-py is not installed here")
def test_the_real_module_has_every_function_that_the_stand_in_has() -> None:
    real = importlib.import_module("pynvml")
    names = [name for name in dir(FakeNvml) if name.startswith(("nvml", "NVML"))]
    assert [name for name in names if not hasattr(real, name)] == []
