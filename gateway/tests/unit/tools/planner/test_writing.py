"""Which lines of `.env` a plan decides, and which it leaves to the user."""

from __future__ import annotations

from pathlib import Path

import pytest

from hayate.tools.planner.catalogue import find_model, load_catalogue
from hayate.tools.planner.envfile import read_values
from hayate.tools.planner.facts import ModelFacts
from hayate.tools.planner.gguf import facts_from_gguf
from hayate.tools.planner.gpus import parse_gpu
from hayate.tools.planner.plan import Plan, Wish, make_plan
from hayate.tools.planner.writing import env_values, write_env
from tests.unit.tools.planner.gguf_builder import QWEN, gguf

CATALOGUE = load_catalogue()


def plan(name: str, **wish: object) -> Plan:
    found = find_model(CATALOGUE, name)
    assert found is not None
    return make_plan(found, Wish(parse_gpu("48GiB"), **wish))  # type: ignore[arg-type]


def local(path: Path) -> ModelFacts:
    path.write_bytes(gguf(QWEN))
    facts = facts_from_gguf(path)
    return ModelFacts(**{name: getattr(facts, name) for name in ModelFacts.__slots__} | {"id": str(path)})


def test_a_fresh_file_names_backend_url_and_profile() -> None:
    values = env_values(plan("Qwen2.5-7B-Instruct"), {}, Path(".env"))
    assert values["LLM_BACKEND"] == "vllm"
    assert values["BACKEND_URL"] == "http://vllm:8000"
    assert values["COMPOSE_PROFILES"] == "vllm"
    assert "VLLM_EXTRA_ARGS" not in values


def test_where_the_engine_is_stays_while_the_engine_stays() -> None:
    present = {"LLM_BACKEND": "vllm", "BACKEND_URL": "http://elsewhere:1", "COMPOSE_PROFILES": "mine"}
    values = env_values(plan("Qwen2.5-7B-Instruct"), present, Path(".env"))
    assert "BACKEND_URL" not in values
    assert "COMPOSE_PROFILES" not in values


def test_another_engine_takes_the_old_ones_place_among_the_profiles() -> None:
    present = {"LLM_BACKEND": "vllm", "BACKEND_URL": "http://vllm:8000", "COMPOSE_PROFILES": "monitoring, vllm"}
    values = env_values(plan("Qwen2.5-7B-Instruct", engine="trtllm"), present, Path(".env"))
    assert values["COMPOSE_PROFILES"] == "monitoring,trtllm"
    assert values["BACKEND_URL"] == "http://trtllm:8000"


def test_extra_arguments_change_only_in_the_plans_own_flags() -> None:
    two, one = plan("Qwen2.5-7B-Instruct", gpus=2), plan("Qwen2.5-7B-Instruct")
    present = {"VLLM_EXTRA_ARGS": "--seed 1"}
    assert env_values(two, present, Path(".env"))["VLLM_EXTRA_ARGS"] == "--seed 1 --tensor-parallel-size 2"
    assert "VLLM_EXTRA_ARGS" not in env_values(one, present, Path(".env"))
    assert env_values(one, {"VLLM_EXTRA_ARGS": "-tp 2 --seed 1"}, Path(".env"))["VLLM_EXTRA_ARGS"] == "--seed 1"


def test_a_file_under_models_is_named_as_the_container_sees_it(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    inside, outside = local(tmp_path / "models/m.gguf"), local(tmp_path / "m.gguf")
    wish = Wish(parse_gpu("48GiB"))
    assert env_values(make_plan(inside, wish), {}, tmp_path / ".env")["MODEL"] == "/models/m.gguf"
    assert env_values(make_plan(outside, wish), {}, tmp_path / ".env")["MODEL"] == str(tmp_path / "m.gguf")


def test_writing_tells_what_changed_and_a_second_time_that_nothing_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / ".env"
    file.write_text("HF_TOKEN=hf_abc\nMODEL=old\n")
    write_env(plan("Qwen2.5-7B-Instruct"), file, "en")
    first = capsys.readouterr().err
    assert "-MODEL=old\n+MODEL=Qwen/Qwen2.5-7B-Instruct" in first
    assert "+VLLM_MAX_MODEL_LEN=8192" in first
    assert f"Written to {file}" in first
    assert "hf_abc" not in first
    written = file.read_bytes()
    assert read_values(written.decode())["HF_TOKEN"] == "hf_abc"
    write_env(plan("Qwen2.5-7B-Instruct"), file, "ja")
    assert "書き込みませんでした" in capsys.readouterr().err
    assert file.read_bytes() == written


def test_ollama_is_told_to_name_a_local_file_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = make_plan(local(tmp_path / "m.gguf"), Wish(parse_gpu("48GiB"), engine="ollama"))
    write_env(made, tmp_path / ".env", "en")
    assert "ollama create" in capsys.readouterr().err
    assert "MODEL" not in read_values((tmp_path / ".env").read_text())
