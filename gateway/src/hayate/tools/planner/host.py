"""How much memory this machine has for weights of models that sleep, and whether it is Windows' Linux (WSL).

Under WSL the memory that Linux sees is the limit that Windows gives it: half of the machine's unless `.wslconfig` says
otherwise. `root` is the file system's root, so that a test can stand one up in a folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hayate.tools.planner.arithmetic import GIB

ROOT = Path("/")
SYSTEM_BYTES = 4 * GIB
PER_ENGINE_BYTES = 3 * GIB


@dataclass(frozen=True, slots=True)
class Host:
    """Where the engines run. `memory_bytes` is None where nobody knows."""

    memory_bytes: int | None = None
    wsl: bool = False

    def weights_bytes(self, engines: int) -> int | None:
        """What sleeping weights may take: without the system, and without what each engine's own processes need."""
        if self.memory_bytes is None:
            return None
        return max(0, self.memory_bytes - SYSTEM_BYTES - engines * PER_ENGINE_BYTES)


def this_host(root: Path = ROOT) -> Host:
    """The machine that the command runs on."""
    return Host(_total_bytes(root), on_wsl(root))


def on_wsl(root: Path = ROOT) -> bool:
    """Whether Windows runs this Linux."""
    return "microsoft" in _text(root / "proc/sys/kernel/osrelease").lower()


def _total_bytes(root: Path) -> int | None:
    for line in _text(root / "proc/meminfo").splitlines():
        name, _, rest = line.partition(":")
        if name == "MemTotal":
            return int(rest.split()[0]) * 1024
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
