"""A stand-in for the module `pynvml`: the functions that are asked, with the driver's own ways of not answering."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

MIB = 2**20


class NVMLError(Exception):
    """As the module raises it."""


@dataclass
class FakeGpu:
    """A card; sizes in MiB. What is None is a question that its driver does not know."""

    name: str | bytes = "NVIDIA GeForce RTX 4090"
    total: int = 24564
    reserved: int | None = 460
    used: int = 0
    computing: list[int | None] | None = field(default_factory=list)
    capability: tuple[int, int] | None = (8, 9)
    display: int | None = 0


class FakeNvml:
    """`gpus` are its cards; `trouble` is what nvmlInit raises."""

    NVMLError = NVMLError
    nvmlMemory_v2 = 0x2000028

    def __init__(self, *gpus: FakeGpu, driver: str | None = "580.95.05", trouble: str | None = None) -> None:
        self.gpus, self.driver, self.trouble = gpus, driver, trouble
        self.open = 0

    def nvmlInit(self) -> None:
        if self.trouble is not None:
            raise NVMLError(self.trouble)
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeGpu:
        if self.gpus[index].total < 0:
            raise NVMLError("GPU is lost")
        return self.gpus[index]

    def nvmlDeviceGetName(self, gpu: FakeGpu) -> str | bytes:
        return gpu.name

    def nvmlDeviceGetMemoryInfo(self, gpu: FakeGpu, version: int | None = None) -> Any:
        if version is None:  # the older question counts what the driver keeps as used
            kept = (gpu.reserved or 0) * MIB
            return SimpleNamespace(total=gpu.total * MIB, used=gpu.used * MIB + kept)
        reserved = self._known(gpu.reserved)
        return SimpleNamespace(total=gpu.total * MIB, used=gpu.used * MIB, reserved=reserved * MIB)

    def nvmlDeviceGetComputeRunningProcesses(self, gpu: FakeGpu) -> list[Any]:
        held = self._known(gpu.computing)
        return [SimpleNamespace(pid=1, usedGpuMemory=None if each is None else each * MIB) for each in held]

    def nvmlDeviceGetCudaComputeCapability(self, gpu: FakeGpu) -> tuple[int, int]:
        found: tuple[int, int] = self._known(gpu.capability)
        return found

    def nvmlDeviceGetDisplayActive(self, gpu: FakeGpu) -> int:
        return int(self._known(gpu.display))

    def nvmlSystemGetDriverVersion(self) -> str:
        return str(self._known(self.driver))

    @staticmethod
    def _known(value: Any) -> Any:
        if value is None:
            raise NVMLError("Not Supported")
        return value
