"""A run with `--no-unexpected-skips` fails for a skip nobody expected, and only then."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.skips import cure

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
    "-p",
    "no:schemathesis",  # dear to import
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
    assert ("   1 × no such thing here, UNEXPECTED" in done.stdout) == bool(status)


def test_the_end_of_a_run_says_how_to_have_what_was_left_out(tmp_path: Path) -> None:
    lines = outcome(tmp_path, "no chromium: apt-get install chromium").stdout.splitlines()
    at = next(n for n, line in enumerate(lines) if "1 left out here, and how to have them" in line)
    assert lines[at + 1] == "   1 × no chromium: apt-get install chromium"
    assert "apt install chromium" in lines[at + 2]
    assert "left out here" not in outcome(tmp_path, "x", "--deselect", "test_it.py::test_it").stdout


def test_every_reason_in_the_tests_says_how_or_has_a_cure() -> None:
    """A new reason without either would leave whoever reads it where he was."""
    reasons = set()
    for file in (GATEWAY / "tests").rglob("*.py"):
        if file != Path(__file__):
            reasons |= set(re.findall(r"pytest\.skip\(f?\"([^\"]+)", file.read_text(encoding="utf-8")))
    assert len(reasons) > 8
    assert [
        reason for reason in reasons if not cure(reason) and "run gateway/" not in reason and "apt" not in reason
    ] == []
