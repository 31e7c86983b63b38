"""What the GPU of this machine would take; the GPU is a stand-in for NVML's."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayate.tools.embedded.spare_gpu import spare_gpu
from hayate.tools.planner.found import Machine
from tests.unit.tools.fake_nvml import FakeGpu, FakeNvml


def told(gpu: FakeGpu, tmp_path: Path) -> tuple[list[str], list[str]]:
    texts = spare_gpu(Machine(tmp_path, FakeNvml(gpu)))
    return [text.en for text in texts], [text.ja for text in texts]


def test_a_gpu_and_what_it_would_take_are_two_lines(tmp_path: Path) -> None:
    assert told(FakeGpu(), tmp_path) == (
        [
            "it computes on the CPU; the GPU (rtx 4090, 24 GiB) would take",
            "Qwen2.5-7B-Instruct, 59 answers at once: hayate plan",
        ],
        [
            "CPUで計算しています。GPU（rtx 4090、24 GiB）なら、",
            "Qwen2.5-7B-Instructを同時に59件動かせます: hayate plan",
        ],
    )


@pytest.mark.parametrize(("gib", "said"), [(16, "Qwen2.5-7B-Instruct-AWQ, "), (2, "little of the catalogue: ")])
def test_a_smaller_one_takes_less(gib: int, said: str, tmp_path: Path) -> None:
    assert told(FakeGpu("Tesla P4", total=gib * 1024, capability=(8, 0)), tmp_path)[0][1].startswith(said)


def test_without_one_nothing_is_said(tmp_path: Path) -> None:
    assert spare_gpu(Machine(tmp_path, FakeNvml(trouble="NVML Shared Library Not Found"))) == ()
