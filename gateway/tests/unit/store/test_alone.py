"""Who is alone in a folder is so among threads and processes, and is not waited for once it has died."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hayate.store.alone import alone_in

LAST_RESORT_S = 60


def test_a_second_one_waits_until_the_first_has_left(tmp_path: Path) -> None:
    came: list[str] = []

    def second() -> None:
        with alone_in(tmp_path):
            came.append("second")

    with alone_in(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.05)
        came.append("first")
    thread.join(LAST_RESORT_S)
    assert came == ["first", "second"]


def test_a_process_that_dies_in_there_has_left(tmp_path: Path) -> None:
    code = "import os, sys; from pathlib import Path; from hayate.store.alone import alone_in; "
    code += "alone_in(Path(sys.argv[1])).__enter__(); os.kill(os.getpid(), 9)"
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == -9
    with alone_in(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_nobody_is_alone_in_what_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), alone_in(tmp_path / "none"):
        pass
