"""`hayate rm`: what a name means, who is asked first, and that nothing outside the models folder is ever touched."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import tempfile
from pathlib import Path

import pytest

from hayate.tools.models.folder import ModelsFolder
from hayate.tools.models.refusals import CannotDo, Mistyped
from hayate.tools.models.rm import targets_of
from tests.support.fake_engine import running_engine
from tests.support.gateway import running_gateway
from tests.support.nursery import born
from tests.support.scene import settings
from tests.unit.tools.models.pulling import environment, typed

PARTS = ["b-F16-00001-of-00002.gguf", "b-F16-00002-of-00002.gguf"]
KEY = "sk-hayate-admin-0123456789"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    (folder / "Safe-7B" / "sub").mkdir(parents=True)
    for name in ("m-Q4.gguf", *PARTS, "b-Q8.gguf", "Safe-7B/config.json", "Safe-7B/sub/x.json"):
        (folder / name).write_bytes(b"x" * 50_000)
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_bytes(b"precious")
    (folder / "link").symlink_to(tmp_path / "precious")
    (folder / "lost").symlink_to(tmp_path / "nowhere")
    return folder


def untouched(models: Path) -> bool:
    return (models.parent / "precious" / "file").read_bytes() == b"precious"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("m-Q4.gguf", ["m-Q4.gguf"]),
        ("Safe-7B", ["Safe-7B"]),
        ("Safe-7B/", ["Safe-7B"]),
        ("Safe-7B/config.json", ["Safe-7B/config.json"]),
        (PARTS[1], PARTS),
        ("b-F16", PARTS),
        ("b-F16.gguf", PARTS),
        ("link", ["link"]),
        ("lost", ["lost"]),
    ],
)
def test_what_a_name_means(models: Path, name: str, meant: list[str]) -> None:
    assert targets_of(name, ModelsFolder(models)) == [models / each for each in meant]


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "",
        "/",
        "../precious",
        "/etc/passwd",
        "link/file",
        "Safe-7B/../../precious",
        ".pull",
        "none",
        "a\nb",
        "*",
        "~",
    ],
)
def test_what_is_not_there_or_leads_elsewhere_is_refused(models: Path, name: str) -> None:
    with pytest.raises(CannotDo):
        targets_of(name, ModelsFolder(models))


def test_what_is_ollamas_is_left_to_ollama(models: Path) -> None:
    with pytest.raises(Mistyped, match=r"`ollama rm llama3\.2:1b`"):
        targets_of("ollama:llama3.2:1b", ModelsFolder(models))


def test_what_has_come_of_a_download_can_be_taken_away(models: Path) -> None:
    (models / ".pull" / "o--r").mkdir(parents=True)
    assert targets_of("o/r:Q4_K_M", ModelsFolder(models)) == [models / ".pull" / "o--r"]
    with pytest.raises(Mistyped, match="has: Safe-7B, b-F16-00001"):
        targets_of("o/other", ModelsFolder(models))


def rm(models: Path, *words: str, language: str = "en", **env: str) -> subprocess.CompletedProcess[str]:
    return typed(["rm", *words], environment("", models.parent, language, **env), models.parent)


def test_a_file_a_folder_and_all_parts_go_and_what_they_took_is_told(models: Path) -> None:
    for name, says in (
        ("m-Q4.gguf", "models/m-Q4.gguf is gone; 50 kB are free again."),
        (PARTS[0], f"models/{PARTS[0]}, models/{PARTS[1]} is gone; 100 kB are free again."),
        ("Safe-7B", "models/Safe-7B is gone; 100 kB are free again."),
        ("link", "models/link is gone; 0 kB are free again."),
    ):
        done = rm(models, name, "--yes")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{says}\n")
    assert sorted(each.name for each in models.iterdir()) == ["b-Q8.gguf", "lost"]
    assert untouched(models)
    gone = rm(models, "b-Q8.gguf", "--yes", "--json", language="ja")
    assert gone.stderr == "models/b-Q8.ggufを削除し、50 kBを解放しました。\n"
    assert json.loads(gone.stdout) == {
        "name": "b-Q8.gguf",
        "removed": ["models/b-Q8.gguf"],
        "freed_bytes": 50_000,
        "used_by": [],
        "error": None,
    }


@pytest.mark.parametrize("name", ["../precious", "/etc/hostname", "link/file", "none"])
def test_what_means_nothing_ends_with_2(models: Path, name: str) -> None:
    done = rm(models, name, "--yes", "--force")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert untouched(models)


def test_where_nobody_can_be_asked_it_stays(models: Path) -> None:
    done = rm(models, "m-Q4.gguf")
    assert (done.returncode, done.stderr) == (2, "Nobody can be asked here: say --yes to take it away.\n")
    assert (models / "m-Q4.gguf").exists()


@pytest.mark.parametrize(
    ("answer", "stays"), [(b"n\n", True), (b"\n", True), (b"\x04", True), (b"\x03", True), (b"y\n", False)]
)
def test_at_a_terminal_somebody_is_asked(models: Path, answer: bytes, stays: bool) -> None:
    ours, theirs = pty.openpty()
    env = environment("", models.parent)
    with tempfile.TemporaryFile() as out:
        process = born(["rm", "m-Q4.gguf"], env, models.parent, stdin=theirs, stdout=out.fileno(), stderr=theirs)
        seen = b""
        while b"[y/N]" not in seen:
            seen += os.read(ours, 1000)
        os.write(ours, answer)
        assert process.wait_here() == (1 if stays else 0)
    seen += os.read(ours, 10_000)
    os.close(theirs)
    os.close(ours)
    assert b"Take models/m-Q4.gguf (50 kB) away? [y/N]" in seen
    assert b"Traceback" not in seen
    assert (models / "m-Q4.gguf").exists() == stays


def test_what_is_configured_stays_unless_forced(models: Path) -> None:
    (models.parent / "config.yaml").write_text(
        "deployments: {fast: {backend: llamacpp, model: /models/m-Q4.gguf, replicas: 'http://a:1'}}", encoding="utf-8"
    )
    done = rm(models, "m-Q4.gguf", "--yes", HAYATE_CONFIG="config.yaml")
    assert done.returncode == 1
    assert "is used by deployments.fast of the configuration" in done.stderr
    assert "設定のdeployments.fast" in rm(models, "m-Q4.gguf", "-y", "-c", "config.yaml", language="ja").stderr
    assert "used by MODEL" in rm(models, "b-Q8.gguf", "-y", MODEL="models/b-Q8.gguf").stderr
    assert (models / "m-Q4.gguf").exists()
    assert rm(models, "m-Q4.gguf", "--yes", "--force", HAYATE_CONFIG="config.yaml").returncode == 0
    assert not (models / "m-Q4.gguf").exists()


@pytest.mark.anyio
async def test_what_a_running_gateway_serves_stays_unless_forced(models: Path) -> None:
    async with running_engine() as engine:
        config = settings(engine.url, model="/models/m-Q4.gguf")
        around = {"HAYATE_ADMIN_KEY": KEY, "XDG_RUNTIME_DIR": str(models.parent / "run")}
        (models.parent / "run").mkdir(mode=0o700)
        async with running_gateway(around, config=config) as gateway:
            done = rm(models, "m-Q4.gguf", "--yes", HAYATE_ADMIN_KEY=KEY)
            assert (done.returncode, f"scripted of the gateway at {gateway.url}" in done.stderr) == (1, True)
            assert rm(models, "b-Q8.gguf", "--yes", HAYATE_ADMIN_KEY=KEY).returncode == 0
    assert (models / "m-Q4.gguf").exists()
