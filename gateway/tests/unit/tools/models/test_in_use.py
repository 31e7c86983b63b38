"""Who needs a model: the configuration, running gateways, processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hayate.tools.models.configured import Configured
from hayate.tools.models.in_use import by_configuration, by_processes, names

FOLDER = Path("models")
FILE, REPO = FOLDER / "m-Q4.gguf", FOLDER / "Safe-7B"


@pytest.mark.parametrize(
    ("word", "target"),
    [
        ("models/m-Q4.gguf", FILE),
        ("./models/m-Q4.gguf", FILE),
        ("/models/m-Q4.gguf", FILE),
        ("--model=/srv/models/m-Q4.gguf", FILE),
        ("/models/Safe-7B", REPO),
        ("/models/Safe-7B/", REPO),
        ("models/Safe-7B/model.safetensors", REPO),
        (str((FOLDER / "m-Q4.gguf").absolute()), FILE),
    ],
)
def test_a_path_here_or_in_a_container_is_the_model(word: str, target: Path) -> None:
    assert names(word, target, FOLDER)


@pytest.mark.parametrize(
    "word", ["", "o/Safe-7B", "Safe-7B", "/models/Safe-7B-Instruct", "/models", "/", "models", "--model=", "a\0b", "~x"]
)
def test_what_else_is_said_is_not(word: str) -> None:
    assert not names(word, FILE, FOLDER)
    assert not names(word, REPO, FOLDER)


def test_a_deployment_needs_what_its_model_or_its_command_names() -> None:
    found = [
        Configured("fast", "vllm", "/models/Safe-7B", (), None),
        Configured("smart", "llamacpp", None, (), None, ("llama-server", "-m", "models/m-Q4.gguf")),
        Configured("other", "vllm", "o/Safe-7B", (), None),
    ]
    assert [each.en for each in by_configuration([REPO], FOLDER, found)] == ["deployments.fast of the configuration"]
    assert [each.ja for each in by_configuration([FILE], FOLDER, found)] == ["設定のdeployments.smart"]


HOLD = """
import mmap, sys
file = open(sys.argv[1], "rb")
held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if sys.argv[2] == "mapped" else None
if held: file.close()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("how", ["open", "mapped"])
def test_a_process_that_has_a_file_open_or_in_its_memory_needs_it(tmp_path: Path, how: str) -> None:
    (tmp_path / "Safe-7B").mkdir()
    file, other = tmp_path / "Safe-7B" / "model.safetensors", tmp_path / "other"
    file.write_bytes(b"weights")
    other.write_bytes(b"weights")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        [found] = by_processes([tmp_path / "Safe-7B"])
        assert found.en.startswith(f"process {process.pid} (")
        assert list(by_processes([other, tmp_path / "none"])) == []
        process.stdin.close()
    assert list(by_processes([file])) == []
    assert os.getpid() > 0
