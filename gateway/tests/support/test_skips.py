"""A run with `--no-unexpected-skips` fails for a skip nobody expected, and only then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

GATEWAY = Path(__file__).parents[2]
COMMAND = [
    sys.executable,
    "-m",
    "pytest",
    "-q",
    "-p",
    "tests.support.skips",
    "-p",
    "no:cacheprovider",
    "--rootdir",
    ".",
]


def outcome(folder: Path, reason: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(
        f"import pytest\ndef test_it(): pytest.skip({reason!r})\ndef test_other(): pass\n"
    )
    env = {"PYTHONPATH": str(GATEWAY), "PATH": ""}
    return subprocess.run([*COMMAND, *options], cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("reason", "options", "status"),
    [
        ("no such thing here", ["--no-unexpected-skips"], 1),
        ("no such thing here", [], 0),
        ("discord.py is not installed", ["--no-unexpected-skips"], 0),
    ],
)
def test_the_exit_status(tmp_path: Path, reason: str, options: list[str], status: int) -> None:
    done = outcome(tmp_path, reason, *options)
    assert done.returncode == status, done.stdout + done.stderr
    assert ("UNEXPECTED: 1 × no such thing here" in done.stdout) == bool(status)
