"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path


def cpu_model() -> str:
    """The processor's own name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def slug() -> str:
    """A short name for file names, such as `amd-epyc-2cpu`."""
    name = re.sub(r"\(.*?\)|@.*|processor|cpu|core.*", "", cpu_model(), flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32] + f"-{cores()}cpu"


def commit(root: Path) -> str:
    """The checkout's commit, marked when files differ from it."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False
        ).stdout.strip()

    try:
        name = git("rev-parse", "--short", "HEAD")
        return (
            f"{name}+changes" if name and git("status", "--porcelain", "--untracked-files=no") else name or "no commit"
        )
    except OSError:
        return "no git"


def describe(root: Path) -> dict[str, str | int | float]:
    """The machine and the checkout."""
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0],
        "commit": commit(root),
    }
