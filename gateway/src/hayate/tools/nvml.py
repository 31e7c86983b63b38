"""The NVIDIA GPUs of this machine, by NVML (`nvidia-ml-py`, the extra `gpu`): read once, nothing is changed.

What a model may use of one is its memory as CUDA sees it (NVML's, less what the driver keeps) less a desktop's share:
what programs that draw hold now, and at least 1 GiB where a screen is driven, or where Windows has the GPU (WSL). What
programs that compute hold is told and not left out: it may be the engine that the plan is for.

Rule: what a driver does not tell (a MIG slice, WSL, an old release) is left open; only memory and name have to be there.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hayate.tools.refusal import Refusal

DESKTOP_BYTES = 2**30


class NoGpu(Refusal):
    """None was found, and why."""


@dataclass(frozen=True, slots=True)
class FoundGpu:
    """One card as it is now; sizes in bytes."""

    index: int
    name: str
    memory_bytes: int
    """As CUDA tells it: without what the driver keeps for itself."""
    drawn_bytes: int
    """Held by programs that draw, or by nobody that NVML can name."""
    computed_bytes: int
    """Held by programs that compute."""
    driver: str = ""
    capability: float | None = None
    desktop: bool = False
    """Whether it drives a screen, or is shared with Windows."""

    @property
    def left_out_bytes(self) -> int:
        """What is not for models: the desktop's share."""
        return max(self.drawn_bytes, DESKTOP_BYTES if self.desktop else 0)

    @property
    def usable_bytes(self) -> int:
        """What models may take."""
        return max(0, self.memory_bytes - self.left_out_bytes)


def find_gpus(*, wsl: bool, nvml: Any = None) -> tuple[FoundGpu, ...]:
    """Every GPU that the driver lists, at least one. `nvml` stands in for the module `pynvml`. Raises NoGpu."""
    if nvml is None:
        try:
            nvml = importlib.import_module("pynvml")
        except ImportError:
            raise NoGpu(
                "nvidia-ml-py, which finds the GPU, is not installed: run `make setup`, or name the GPU with --gpu 24GiB",
                "GPUの検出に使うnvidia-ml-pyがインストールされていません。`make setup`を実行するか、"
                "`--gpu 24GiB`のように指定してください",
            ) from None
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as error:
        raise NoGpu(
            f"No NVIDIA driver answers here ({error}): name the GPU with --gpu 24GiB",
            f"NVIDIAのドライバーが応答しません。`--gpu 24GiB`のように指定してください（{error}）",
        ) from None
    try:
        found = tuple(_read(nvml, index, wsl) for index in range(nvml.nvmlDeviceGetCount()))
    except nvml.NVMLError as error:
        raise NoGpu(
            f"The NVIDIA driver does not tell of its GPU ({error}): name it with --gpu 24GiB",
            f"NVIDIAのドライバーからGPUの情報を取得できません。`--gpu 24GiB`のように指定してください（{error}）",
        ) from None
    finally:
        nvml.nvmlShutdown()
    if not found:
        raise NoGpu(
            "The NVIDIA driver lists no GPU: name one with --gpu 24GiB",
            "NVIDIAのドライバーにGPUが見つかりません。`--gpu 24GiB`のように指定してください",
        )
    return found


def _read(nvml: Any, index: int, wsl: bool) -> FoundGpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    memory = _told(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(handle, version=nvml.nvmlMemory_v2))
    if memory is None:
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    total, used = int(memory.total) - int(getattr(memory, "reserved", 0)), int(memory.used)
    computing = _told(nvml, lambda: nvml.nvmlDeviceGetComputeRunningProcesses(handle)) or ()
    computed = min(used, sum(int(each.usedGpuMemory or 0) for each in computing))
    capability = _told(nvml, lambda: nvml.nvmlDeviceGetCudaComputeCapability(handle))
    return FoundGpu(
        index=index,
        name=_text(nvml.nvmlDeviceGetName(handle)),
        memory_bytes=total,
        drawn_bytes=used - computed,
        computed_bytes=computed,
        driver=_text(_told(nvml, nvml.nvmlSystemGetDriverVersion) or ""),
        capability=float(f"{capability[0]}.{capability[1]}") if capability else None,
        desktop=wsl or bool(_told(nvml, lambda: nvml.nvmlDeviceGetDisplayActive(handle))),
    )


def _told(nvml: Any, ask: Callable[[], Any]) -> Any:
    """What the driver says; None where it does not know the question."""
    try:
        return ask()
    except nvml.NVMLError:
        return None


def _text(value: str | bytes) -> str:
    """Releases of the library before 12 gave bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
