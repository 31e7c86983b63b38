"""The rules of the linter that a mistake would cost dearly: that they are on, where they should be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPEAKING = {
    "print": "print('x')\n",
    "stdout": "import sys\n\nsys.stdout.write('x')\n",
    "stderr": "import sys\n\nsys.stderr.buffer.flush()\n",
    "an alias": "import sys as system\n\nsystem.stderr.write('x')\n",
    "an import": "from sys import stderr\n\nstderr.write('x')\n",
    "the original": "import sys\n\nsys.__stdout__.write('x')\n",
}


def complaints(code: str, file: str) -> set[str]:
    """The rules that ruff finds broken by this code in this place."""
    done = subprocess.run(
        [Path(sys.executable).with_name("ruff"), "check", "--output-format=json", "--stdin-filename", file, "-"],
        input=code,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return {each["code"] for each in json.loads(done.stdout)}


@pytest.mark.parametrize("code", SPEAKING.values(), ids=SPEAKING)
@pytest.mark.parametrize("place", ["telemetry/calls.py", "cli.py", "new.py", "tools/embedded/child.py", "api/new.py"])
def test_nothing_that_serves_speaks_past_the_queue(place: str, code: str) -> None:
    assert complaints(code, f"src/hayate/{place}") & {"T201", "TID251"}


@pytest.mark.parametrize("place", ["telemetry/log_writer.py", "tools/planner/commands.py", "tools/measure/commands.py"])
def test_the_queue_itself_and_commands_that_print_a_result_may(place: str) -> None:
    assert "TID251" not in complaints(SPEAKING["stdout"], f"src/hayate/{place}")
