"""The engine of a deployment with a `run`: what is started, where its output goes, where it is called."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from hayate.engines.llamacpp import CHILD, LlamaCpp
from hayate.engines.ports import Ports
from hayate.fleet.deployment import Deployment
from hayate.fleet.process_engine import process_engine, program_of
from hayate.settings import Probing, Run
from tests.support.http import fetch
from tests.support.run_engine import COMMAND
from tests.support.waiting import LAST_RESORT_S
from tests.unit.fleet.made import spec

pytestmark = pytest.mark.anyio


async def test_it_is_called_where_it_is_also_when_its_port_was_taken(tmp_path: Path) -> None:
    ports = Ports()
    url = f"http://127.0.0.1:{ports.of('qwen')}"
    deployment = Deployment(spec("qwen", url, run=Run(command=COMMAND)), Probing())
    moves: list[tuple[str, int, int]] = []
    made = process_engine(deployment, ports, tmp_path, os.environ, lambda *moved: moves.append(moved))
    old = made.port
    identity = deployment.spec.identity
    with socket.create_server(("127.0.0.1", made.port)):
        await made.load(LAST_RESORT_S)
        try:
            [replica] = deployment.replicas
            assert replica.url == f"http://127.0.0.1:{made.port}" != url
            assert (await fetch(replica.url, "/health")).status == 200
            assert deployment.spec.identity == identity
            assert moves == [("qwen", old, made.port)]
        finally:
            await made.close()


async def test_its_log_is_in_a_folder_of_the_data_for_our_eyes_only(tmp_path: Path) -> None:
    deployment = Deployment(spec("a/b", run=Run(command=COMMAND)), Probing())
    made = process_engine(deployment, Ports(), tmp_path / "data", os.environ)
    assert made.log is not None
    assert made.log.parent == tmp_path / "data" / "logs"
    assert stat.S_IMODE(made.log.parent.stat().st_mode) == 0o700


def test_llama_cpp_is_told_what_the_deployment_says() -> None:
    credentials = ((b"authorization", b"Bearer secret"),)
    made = spec(
        "tiny", run="llamacpp", model="Qwen/x:Q4_K_M", credentials=credentials, max_in_flight=3, context_tokens=99
    )
    program = program_of(made, {}, 1234)
    assert program.command == CHILD
    told = LlamaCpp.parse(str(program.stdin).encode())
    assert (told.model, told.served_model, told.port, told.key) == ("Qwen/x:Q4_K_M", "tiny", 1234, "secret")
    assert (told.context_tokens, told.slots, told.is_wanted) == (99, 3, True)


def test_an_engine_is_asked_with_its_key_whether_it_is_ready() -> None:
    credentials = ((b"authorization", b"Bearer secret"),)
    assert program_of(spec(run=Run(command=COMMAND), credentials=credentials), {}, 1).credentials == credentials


def test_what_nobody_says_is_llama_cpps_usual() -> None:
    told = LlamaCpp.parse(str(program_of(spec("tiny", run="llamacpp", model="x.gguf"), {}, 1).stdin).encode())
    assert (told.context_tokens, told.slots, told.threads) == (None, 4, None)
