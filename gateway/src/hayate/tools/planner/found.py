"""The GPU that a plan is for: as it was typed, else the one that this machine has, without a desktop's share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hayate.language import Text
from hayate.tools.nvml import FoundGpu, NoGpu, find_gpus
from hayate.tools.planner.arithmetic import CUDA_CONTEXT_BYTES, GIB
from hayate.tools.planner.gpus import Gpu, parse_gpu
from hayate.tools.planner.host import ROOT, Host, this_host
from hayate.tools.planner.remarks import Remark

DRIVER_FROM = 580
"""Of the vLLM image that compose.yml pins."""
_NUMBER = re.compile(r"gpu([0-9]{1,3})")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where the command runs. A test gives a root of its own, and a stand-in for the module `pynvml`."""

    root: Path = ROOT
    nvml: Any = None

    @property
    def host(self) -> Host:
        """Its memory."""
        return this_host(self.root)

    def gpus(self) -> tuple[FoundGpu, ...]:
        """What its driver lists. Raises NoGpu."""
        return find_gpus(wsl=self.host.wsl, nvml=self.nvml)


@dataclass(frozen=True, slots=True)
class Card:
    """The GPU, and what of it is not for models. `found` is None when it was typed."""

    gpu: Gpu
    left_out_bytes: int = 0
    found: FoundGpu | None = None

    def utilization(self, wished: float) -> float:
        """What an engine that has the GPU alone may take: as wished, but nothing of what is left out."""
        if not self.left_out_bytes:
            return wished
        free = self.gpu.memory_bytes - self.left_out_bytes - CUDA_CONTEXT_BYTES
        return max(0.05, min(wished, free * 100 // self.gpu.memory_bytes / 100))


def card_of(typed: str | None, machine: Machine) -> Card:
    """`24GiB` and `rtx4090` as they are; `gpu1` the driver's second; nothing: its first. Raises UnknownGpu, NoGpu."""
    number = _NUMBER.fullmatch(typed.strip().lower()) if typed else None
    if typed and number is None:
        return Card(parse_gpu(typed))
    found, index = machine.gpus(), int(number[1]) if number else 0
    if index >= len(found):
        raise NoGpu(
            f"--gpu {typed}: the driver lists gpu0 to gpu{len(found) - 1}",
            f"--gpu {typed}: ドライバーから見えるのはgpu0からgpu{len(found) - 1}までです",
        )
    here = found[index]
    name = re.sub(r"^(nvidia|geforce|tesla)[ _-]+", "", re.sub(r"^nvidia[ _-]+", "", here.name.lower()))
    return Card(Gpu(name, here.memory_bytes, here.capability), here.left_out_bytes, here)


def card_line(here: FoundGpu) -> Text:
    """What was found, for a person."""
    size, kept = here.memory_bytes / GIB, here.left_out_bytes / GIB
    driver = Text(f", driver {here.driver}", f"、ドライバー {here.driver}") if here.driver else Text("", "")
    desktop = (
        Text(f"; {kept:.1f} GiB of it left for the desktop", f"、うち{kept:.1f} GiBはデスクトップ用に除外")
        if here.left_out_bytes
        else Text("", "")
    )
    return Text(
        f"Found: {here.name}, {size:.1f} GiB{driver.en}{desktop.en}",
        f"検出: {here.name}（{size:.1f} GiB{driver.ja}{desktop.ja}）",
    )


def card_remarks(card: Card, engine: str | None) -> Iterator[Remark]:
    """What is in the way of a plan on the GPU that was found."""
    here = card.found
    if here is None:
        return
    if here.computed_bytes:
        size = here.computed_bytes / GIB
        yield Remark(
            "warning",
            "gpu-in-use",
            Text(
                f"Programs that compute hold {size:.1f} GiB of the GPU now; the plan counts on their ending.",
                f"現在、計算中のプログラムがGPUメモリーを{size:.1f} GiB使っています。終了するものとして計算しています。",
            ),
        )
    major = re.match(r"[0-9]+", here.driver)
    if major and int(major[0]) < DRIVER_FROM and engine in (None, "vllm"):
        yield Remark(
            "warning",
            "old-driver",
            Text(
                f"Driver {here.driver}: the vLLM image of compose.yml needs {DRIVER_FROM}; for an older one: v0.32.0-cu129.",
                f"ドライバー{here.driver}: compose.ymlのvLLMイメージには{DRIVER_FROM}以降が必要です。"
                "古いドライバーではv0.32.0-cu129を使ってください。",
            ),
        )
