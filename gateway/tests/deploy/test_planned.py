"""The files that `hayate plan --models … --write` writes: compose accepts them as they lie, `hayate check-config` the gateway's."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hayate.config.load import load_config
from hayate.serve.specs import option_mistakes
from tests.deploy.test_compose import REPOSITORY, compose, started
from tests.guides.blocks import fenced
from tests.support.tables import table
from tests.support.typed import typed_in
from tests.support.waiting import LAST_RESORT_S

PAIR, THREE = "qwen2.5-7b,bakeneko-32b", "qwen2.5-7b,qwen2.5-14b,bakeneko-32b"


def hayate(*words: str) -> str:
    done = typed_in(*words, env={"HAYATE_LANG": "en", "HAYATE_MODELS": None})
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clone, as far as compose looks at it."""
    for name in ("compose.yml", "llm", "gateway", "models"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    return tmp_path


def services(folder: Path) -> dict[str, Any]:
    """What `docker compose up` would start in that folder, where nothing but `.env` says which files."""
    settings = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    command = [*compose(), "config"]
    done = subprocess.run(
        command, cwd=folder, env=settings, capture_output=True, text=True, timeout=LAST_RESORT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    return found


@table(
    ("engine", "gpu", "names"),
    [
        ("vllm", "24GiB", PAIR),
        ("vllm", "48GiB", PAIR),
        ("vllm", "24GiB", THREE),
        ("vllm", "80GiB", THREE),
        ("ollama", "24GiB", PAIR),
        ("llamacpp", "24GiB", PAIR),
    ],
)
def test_what_is_written_is_what_the_gateway_and_compose_read(engine: str, gpu: str, names: str, folder: Path) -> None:
    words = ["plan", "--engine", engine, "--gpu", gpu, "--models", names, "--host-memory", "96GiB"]
    hayate(*words, "--write", "--env-file", str(folder / ".env"))
    hayate("check-config", str(folder / "hayate.planned.yaml"))
    told = load_config(folder / "hayate.planned.yaml", {})
    assert [*told.deployments] == names.split(",")
    if engine == "llamacpp":
        assert "COMPOSE_FILE=compose.yml\n" in (folder / ".env").read_text(encoding="utf-8")
        return
    found = services(folder)
    hosts = {each.replicas[0].removeprefix("http://").split(":")[0] for each in told.deployments.values()}
    assert started(found, engine) == {"gateway", *hosts}
    assert str(folder / "hayate.planned.yaml") in str(found["gateway"]["volumes"])
    assert [name for name, each in found.items() if each.get("ports")] == ["gateway"]


def test_each_vllm_is_told_what_the_gateway_is_told(folder: Path) -> None:
    words = ["plan", "--gpu", "24GiB", "--models", PAIR, "--host-memory", "96GiB", "--write"]
    hayate(*words, "--env-file", str(folder / ".env"))
    told, found = load_config(folder / "hayate.planned.yaml", {}), services(folder)
    for deployment in told.deployments.values():
        engine = found[deployment.replicas[0].removeprefix("http://").split(":")[0]]
        assert engine["environment"]["MODEL"] == deployment.model
        assert engine["environment"]["VLLM_MAX_MODEL_LEN"] == str(deployment.context_tokens)
        assert engine["deploy"] == found["vllm"]["deploy"]
    assert found["vllm-bakeneko-32b"]["depends_on"]["vllm"]["condition"] == "service_healthy"


@table("page", ["README.md", "README.ja.md"])
def test_the_first_page_shows_what_is_written(page: str, folder: Path) -> None:
    shown = [each.code for each in fenced((REPOSITORY / page).read_text(encoding="utf-8")) if each.language == "yaml"]
    for engine, context, code in zip(("vllm", "ollama", "llamacpp"), ("8192", "4096", "4096"), shown, strict=True):
        words = ["plan", "--gpu", "rtx4090", "--models", PAIR, "--host-memory", "64GiB", "--engine", engine]
        hayate(*words, "--context", context, "--write", "--env-file", str(folder / ".env"))
        written = yaml.safe_load((folder / "hayate.planned.yaml").read_text(encoding="utf-8"))
        assert yaml.safe_load(code) == written


def test_without_host_memory_for_all_they_sleep_at_level_2(folder: Path) -> None:
    words = ["plan", "--gpu", "24GiB", "--models", PAIR, "--host-memory", "16GiB", "--write"]
    hayate(*words, "--env-file", str(folder / ".env"))
    told = load_config(folder / "hayate.planned.yaml", {}, check=option_mistakes)
    assert [each.options["sleep_level"] for each in told.deployments.values()] == [2, 2]
    found = services(folder)
    assert {found[name]["environment"]["VLLM_START_ASLEEP"] for name in ("vllm", "vllm-bakeneko-32b")} == {"2"}


def test_what_does_not_fit_is_not_written(folder: Path) -> None:
    words = ["plan", "--gpu", "16GiB", "--models", PAIR, "--write"]
    done = typed_in(*words, "--env-file", str(folder / ".env"), env={"HAYATE_LANG": "en"})
    assert done.exit_code == 1
    assert not (folder / ".env").exists()
