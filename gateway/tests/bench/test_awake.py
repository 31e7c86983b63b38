"""The wish for cores that do not sleep: for as long as the file is open, and no fault where it can't be had."""

from __future__ import annotations

from pathlib import Path

from bench.awake import awake


def open_files() -> set[str]:
    return {str(each.readlink()) for each in Path("/proc/self/fd").iterdir() if each.exists()}


def test_the_wish_is_held_open_until_the_end(tmp_path: Path) -> None:
    device = tmp_path / "cpu_dma_latency"
    device.touch()
    with awake(device) as granted:
        assert granted
        assert device.read_bytes() == b"\0\0\0\0"
        assert str(device) in open_files()
    assert str(device) not in open_files()


def test_where_it_can_not_be_had_the_cores_sleep(tmp_path: Path) -> None:
    with awake(tmp_path / "no such device") as granted:
        assert not granted
