"""The verbs as they are typed, in processes of their own: what is typed, the environment, `.env` and the file, in this order."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from tests.support.fake_engine import running_engine
from tests.support.gateway import running_gateway
from tests.support.http import fetch
from tests.support.nursery import run
from tests.support.ports import free_port

pytestmark = pytest.mark.anyio


def hayate(*words: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    path = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    settings = {**path, "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": str(cwd), **env}
    return run(words, settings, cwd)


def checked(folder: Path, *words: str, **env: str) -> str:
    return hayate("check-config", *words, cwd=folder, **env).stdout


async def test_the_environment_wins_over_dotenv_and_that_over_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LLM_BACKEND=ollama\nMODEL=qwen2.5:7b\n", encoding="utf-8")
    assert "qwen2.5:7b: ollama" in checked(tmp_path)
    assert "mine: ollama" in checked(tmp_path, MODEL="mine")
    assert "vllm: vllm" in checked(tmp_path, LLM_BACKEND="", MODEL="")


async def test_dotenv_names_the_file_and_what_the_file_takes_from_variables(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "deployments:\n  a: {backend: vllm, replicas: ['${ENGINE}'], model: '${NAME:-none}'}\n", encoding="utf-8"
    )
    (tmp_path / ".env").write_text("HAYATE_CONFIG=c.yaml\nENGINE=http://gpu:1\n", encoding="utf-8")
    assert "a: vllm none at http://gpu:1" in checked(tmp_path)
    assert "a: vllm x at http://other:1" in checked(tmp_path, ENGINE="http://other:1", NAME="x")
    (tmp_path / "d.yaml").write_text("deployments: {d: {backend: vllm, replicas: ['http://d:1']}}\n", encoding="utf-8")
    assert "d: vllm" in checked(tmp_path, "--config", "d.yaml")


async def test_a_device_in_place_of_the_file_is_none(tmp_path: Path) -> None:
    assert "mine: vllm" in checked(tmp_path, HAYATE_CONFIG="/dev/null", MODEL="mine")


async def test_what_is_typed_wins_over_the_environment() -> None:
    env = {"BACKEND_URL": "http://127.0.0.1:9", "HAYATE_HOST": "192.0.2.1"}  # where this machine can't listen
    async with running_gateway(env, verb="serve --host 127.0.0.1", through=("env",)) as gateway:
        assert (await fetch(gateway.url, "/health")).status == 200


async def test_the_key_may_be_in_dotenv_and_is_shown_from_there(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("export HAYATE_API_KEY='sk-from-dotenv-0123456789' # mine\n", encoding="utf-8")
    shown = hayate("key", cwd=tmp_path)
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "sk-from-dotenv-0123456789\n", "")


async def test_bench_measures_the_gateway_that_runs_wherever_it_listens(tmp_path: Path) -> None:
    async with running_engine() as engine:
        env = {"BACKEND_URL": engine.url, "LLM_BACKEND": "openai"}
        async with running_gateway(env, key="") as gateway:
            there = {"XDG_RUNTIME_DIR": str(gateway.data.parent)}
            for given in ({"HAYATE_DATA": str(gateway.data)}, {}):
                ended = await asyncio.to_thread(hayate, "bench", "-n", "1", cwd=tmp_path, **there, **given)
                assert ended.returncode == 0, ended.stderr


async def test_bench_takes_the_address_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("server: {host: '::', port: 1}\naliases: {fast: embedded}\n", encoding="utf-8")
    ended = hayate("bench", "-n", "1", "--config", "c.yaml", cwd=tmp_path)
    assert ended.returncode == 1
    assert "http://[::1]:1" in ended.stderr


@pytest.mark.parametrize("verb", ["serve", "up", "key", "check-config", "bench"])
async def test_a_broken_file_is_no_traceback(verb: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("deployments: [\n", encoding="utf-8")
    (tmp_path / ".env").write_text("HAYATE_CONFIG=c.yaml\nthis is no line\n", encoding="utf-8")
    for lang in ("en", "ja"):
        ended = hayate(verb, cwd=tmp_path, HAYATE_LANG=lang)
        assert ended.returncode == 2
        assert "Traceback" not in ended.stderr
        assert ".env line 2" in ended.stderr if lang == "en" else ".envの2行目" in ended.stderr
        assert "c.yaml" in ended.stderr


async def test_up_leaves_alone_the_file_of_a_plan_for_several_models(tmp_path: Path) -> None:
    (tmp_path / "taken.gguf").write_bytes(b"no model")
    (tmp_path / ".env").write_text("HAYATE_CONFIG=./hayate.planned.yaml\nMODEL=other\n", encoding="utf-8")
    (tmp_path / "hayate.planned.yaml").write_text("deployments: [\n", encoding="utf-8")
    ended = hayate("up", "--model", "taken.gguf", "--port", str(free_port()), cwd=tmp_path, HAYATE_LANG="en")
    assert ended.stderr.startswith("MODEL, HAYATE_CONFIG in .env: left to compose")
    assert "taken.gguf" in ended.stderr.splitlines()[-1]


async def test_up_leaves_alone_what_dotenv_says_of_composes_engine(tmp_path: Path) -> None:
    (tmp_path / "taken.gguf").write_bytes(b"no model")
    (tmp_path / ".env").write_text("LLM_BACKEND=vllm\nMODEL=Qwen/Qwen2.5-7B-Instruct\n", encoding="utf-8")
    for lang, said in (("en", "left to compose"), ("ja", "compose用")):
        ended = hayate("up", "--model", "taken.gguf", "--port", str(free_port()), cwd=tmp_path, HAYATE_LANG=lang)
        assert ended.returncode == 1
        first, *more = ended.stderr.splitlines()
        assert said in first
        assert all(name in first for name in ("LLM_BACKEND", "MODEL", ".env"))
        assert "BACKEND_URL" not in first
        assert len(more) == 1
        assert "taken.gguf" in more[0]
    (tmp_path / ".env").write_text("HAYATE_LANG=en\n", encoding="utf-8")
    ended = hayate("up", "--port", str(free_port()), cwd=tmp_path, MODEL="taken.gguf")
    assert ["taken.gguf" in line for line in ended.stderr.splitlines()] == [True]
