"""What is read of the machine, from a file system of the test's own."""

from __future__ import annotations

from pathlib import Path

from hayate.tools.planner.arithmetic import GIB
from hayate.tools.planner.host import PER_ENGINE_BYTES, SYSTEM_BYTES, Host, on_wsl, this_host

LINUX, WSL = "6.1.0-32-amd64", "5.15.167.4-microsoft-standard-WSL2"


def machine(root: Path, release: str, meminfo: str | None = None) -> Path:
    (root / "proc/sys/kernel").mkdir(parents=True)
    (root / "proc/sys/kernel/osrelease").write_text(release + "\n", encoding="utf-8")
    if meminfo is not None:
        (root / "proc/meminfo").write_text(meminfo, encoding="utf-8")
    return root


def test_the_memory_is_what_linux_sees(tmp_path: Path) -> None:
    root = machine(tmp_path, LINUX, "MemTotal:       65536000 kB\nMemFree:         1000 kB\n")
    assert this_host(root) == Host(65_536_000 * 1024, wsl=False)


def test_windows_linux_is_told_by_its_kernel(tmp_path: Path) -> None:
    assert on_wsl(machine(tmp_path, WSL))
    assert not on_wsl(tmp_path / "elsewhere")


def test_what_the_system_does_not_say_is_not_guessed(tmp_path: Path) -> None:
    assert this_host(machine(tmp_path, WSL)) == Host(None, wsl=True)
    assert Host(None).weights_bytes(2) is None


def test_weights_get_what_the_system_and_the_engines_leave() -> None:
    assert Host(64 * GIB).weights_bytes(2) == 64 * GIB - SYSTEM_BYTES - 2 * PER_ENGINE_BYTES
    assert Host(4 * GIB).weights_bytes(2) == 0
