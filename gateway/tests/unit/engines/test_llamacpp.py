"""llama.cpp's own server as a program: what it is told, and where that can't be seen."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from hayate.engines.llamacpp import CHILD, LlamaCpp
from hayate.engines.ports import Ports
from hayate.engines.process import ProcessEngine, ProcessFailed
from hayate.engines.program import Program
from hayate.reasons import Reason
from tests.engines.launch import TINY_GGUF
from tests.support.http import fetch
from tests.support.waiting import LAST_RESORT_S

KEY = "engine-key-0123456789"


def test_settings_come_back_as_they_went_in_one_line() -> None:
    settings = LlamaCpp("/モデル/x y.gguf", "x", 1234, "key", 4096, slots=4, threads=2, is_verbose=True)
    line = settings.render()
    assert line.count("\n") == 1
    assert line.isascii()
    assert LlamaCpp.parse(line.encode()) == settings


def test_its_key_is_in_neither_the_command_nor_the_environment() -> None:
    program = LlamaCpp("m.gguf", "x", 1234, KEY, None).program({"PATH": "/bin", "HAYATE_API_KEY": "secret"})
    assert (program.command, dict(program.env)) == (CHILD, {"PATH": "/bin"})
    assert KEY in str(program.stdin)


def wanted(model: str, port: int) -> Program:
    return LlamaCpp(model, model, port, KEY, 1024, slots=1, threads=1, is_wanted=True).program(os.environ)


@pytest.mark.anyio
async def test_it_runs_as_an_engine(tmp_path: Path) -> None:
    made = ProcessEngine("tiny", partial(wanted, str(TINY_GGUF)), Ports(), tmp_path / "tiny.log")
    await made.load(LAST_RESORT_S)
    try:
        assert (await fetch(f"http://127.0.0.1:{made.port}", "/v1/models", key=KEY)).status == 200
    finally:
        await made.close()


@pytest.mark.anyio
async def test_a_model_that_is_not_there_is_told_in_its_words(tmp_path: Path) -> None:
    made = ProcessEngine("tiny", partial(wanted, "./none.gguf"), Ports(), tmp_path / "tiny.log")
    with pytest.raises(ProcessFailed) as raised:
        await made.load(LAST_RESORT_S)
    assert raised.value.reason is Reason.ENDED_EARLY
    assert "ended before it answered (status 3): MODEL=none.gguf does not exist" in raised.value.english
