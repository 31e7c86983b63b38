"""A run says which files are dear, fails in CI for one that is too dear, and tries fewer examples than the slow run, which has
those tests by themselves that other work on the machine would disturb.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.quick import FULL_EXAMPLES, QUICK_EXAMPLES

GATEWAY = Path(__file__).parents[2]
BURNING = """
import time
from hypothesis import given, strategies as st
tried = 0
def test_dear():
    began = time.process_time()
    while time.process_time() - began < 0.3: pass
@given(st.integers())
def test_property(number):
    global tried
    tried += 1
def test_how_many(): print("tried", tried)
"""


def run(folder: Path, *options: str, limit_s: float = 30) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(BURNING)
    (folder / "conftest.py").write_text(f"import tests.support.quick as quick\nquick.FILE_CPU_S = {limit_s}\n")
    plugins = ("tests.support.skips", "tests.support.quick", "no:cacheprovider", "no:schemathesis")  # dear to import
    command = [sys.executable, "-m", "pytest", "-s", "--rootdir", ".", *(f"-p{each}" for each in plugins)]
    env = {"PYTHONPATH": str(GATEWAY), "PATH": ""}
    return subprocess.run([*command, *options], cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("limit_s", "strict", "status"), [(30, True, 0), (0.2, True, 1), (0.2, False, 0)], ids=["cheap", "dear", "not CI"]
)
def test_a_file_that_is_too_dear_fails_where_that_counts(
    tmp_path: Path, limit_s: float, strict: bool, status: int
) -> None:
    done = run(tmp_path, "-m", "not slow", *["--no-unexpected-skips"] * strict, limit_s=limit_s)
    assert done.returncode == status, done.stdout + done.stderr
    assert ("test_it.py  TOO DEAR" in done.stdout) is (limit_s < 1)


def test_the_slow_run_tries_all_examples_of_the_property_tests_alone(tmp_path: Path) -> None:
    assert f"tried {QUICK_EXAMPLES}" in run(tmp_path, "-m", "not slow").stdout
    assert f"tried {FULL_EXAMPLES}" in run(tmp_path, "--hypothesis-profile=full").stdout
    assert "1 passed, 2 deselected" in run(tmp_path, "--hypothesis-profile=full", "-m", "slow or property").stdout


@pytest.mark.parametrize(
    ("part", "ran"), [((), 4), (("--part=crowded",), 2), (("--part=alone",), 1), (("--part=timed",), 1)]
)
def test_what_others_would_disturb_is_in_a_part_of_the_slow_run(
    tmp_path: Path, part: tuple[str, ...], ran: int
) -> None:
    marked = "".join(f"@pytest.mark.{name}\ndef test_clock_{name}(): pass\n" for name in ("alone", "timed"))
    (tmp_path / "test_clock.py").write_text(f"import pytest\n{marked}")
    markers = "".join(f"    {name}: so\n" for name in ("alone", "timed", "slow"))
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nmarkers =\n{markers}")
    assert f"{ran} passed" in run(tmp_path, *part, "-k", "clock or many or property").stdout
