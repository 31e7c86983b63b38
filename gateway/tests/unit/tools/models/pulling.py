"""`hayate pull` as it is typed, each in a process of its own, beside the stand-in for the Hub."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.gateway import INHERITED
from tests.support.nursery import run

COMMAND = (sys.executable, "-W", "error", "-c", "from hayate.cli import main; main()")
WEIGHTS = random.Random(5).randbytes(600_000)
GGUF = {
    "m-Q4_K_M.gguf": WEIGHTS,
    "b-F16-00001-of-00002.gguf": WEIGHTS[:9000],
    "b-F16-00002-of-00002.gguf": WEIGHTS[9000:20_000],
}
SAFE = {"config.json": b"{}", "tokenizer.json": b"{ }", "model.safetensors": WEIGHTS[:300_000], "flax.msgpack": b"x"}
REPOSITORIES: Mapping[str, Mapping[str, bytes]] = {"o/m-GGUF": GGUF, "o/Safe-7B": SAFE}


def environment(hub: str, folder: Path, language: str = "en", **more: str) -> dict[str, str]:
    """What such a command has around it: nothing of the tests' own."""
    kept = {name: os.environ[name] for name in (*INHERITED, "PYTHONPATH") if name in os.environ}
    around = {
        "HF_ENDPOINT": hub,
        "HF_HOME": str(folder / "hf"),
        "XDG_RUNTIME_DIR": str(folder / "run"),
        "LANG": "C.UTF-8",
    }
    return {**kept, **around, "HAYATE_LANG": language, **more}


def typed(
    words: Sequence[str], env: Mapping[str, str], folder: Path, *, most_bytes: int | None = None
) -> subprocess.CompletedProcess[str]:
    """The command once it has ended. `most_bytes`: no file may grow longer."""
    return run(words, env, folder, most_bytes=most_bytes)


@contextlib.contextmanager
def running(words: Sequence[str], env: Mapping[str, str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The command while it runs; what is left of it is ended."""
    with subprocess.Popen(
        [*COMMAND, *words], env=dict(env), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def visible(folder: Path) -> dict[str, bytes]:
    """What an engine could be given: the files under names of their own."""
    models = folder / "models"
    found = [path for path in models.rglob("*") if path.is_file() and ".pull" not in path.parts]
    return {path.relative_to(models).as_posix(): path.read_bytes() for path in found}
