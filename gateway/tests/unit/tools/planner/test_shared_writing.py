"""The files of a plan for several models: all of them or none, and nothing of somebody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayate.tools.planner.compose_override import COMPOSE_FILE, GATEWAY_FILE
from hayate.tools.planner.envfile import UnusableEnvFile, read_values
from hayate.tools.planner.shared_writing import write_shared
from tests.unit.tools.planner.sharing import room, shared

Capture = pytest.CaptureFixture[str]


def test_three_files_are_written_and_the_next_step_is_said(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / ".env").write_text("HF_TOKEN=secret\nLLM_BACKEND=ollama\n", encoding="utf-8")
    write_shared(shared(), tmp_path / ".env", "en")
    said = capsys.readouterr().err
    assert "-LLM_BACKEND=ollama\n+LLM_BACKEND=vllm" in said
    assert "secret" not in said
    assert said.endswith("Next: docker compose up -d\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([".env", COMPOSE_FILE, GATEWAY_FILE])
    values = read_values((tmp_path / ".env").read_text(encoding="utf-8"))
    assert (values["HF_TOKEN"], values["HAYATE_CONFIG"]) == ("secret", f"./{GATEWAY_FILE}")


def test_the_same_again_changes_nothing_and_another_plan_replaces_it(tmp_path: Path, capsys: Capture) -> None:
    write_shared(shared(), tmp_path / ".env", "en")
    capsys.readouterr()
    write_shared(shared(), tmp_path / ".env", "ja")
    assert capsys.readouterr().err.count("すでにこの設定です。") == 3
    write_shared(shared(where=room("48GiB")), tmp_path / ".env", "en")
    assert "sleep_level" not in (tmp_path / GATEWAY_FILE).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [GATEWAY_FILE, COMPOSE_FILE])
def test_a_file_of_somebody_elses_is_left_alone_and_nothing_else_is_written(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("services: {}\n", encoding="utf-8")
    with pytest.raises(UnusableEnvFile, match="was not written by a plan"):
        write_shared(shared(), tmp_path / ".env", "en")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_for_engines_on_the_host_there_is_no_compose_file(tmp_path: Path, capsys: Capture) -> None:
    write_shared(shared(where=room(engine="llamacpp")), tmp_path / ".env", "ja")
    assert "CUDA対応のllama-server" in capsys.readouterr().err
    assert not (tmp_path / COMPOSE_FILE).exists()
