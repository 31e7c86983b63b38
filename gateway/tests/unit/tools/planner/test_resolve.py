"""From what is typed to a model: the catalogue, then a path here, then the Hub."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hayate.tools.planner.catalogue import load_catalogue
from hayate.tools.planner.facts import FactsMissing
from hayate.tools.planner.resolve import resolve_model
from tests.support.hub_stand_in import hub_stand_in
from tests.support.tables import table
from tests.unit.tools.planner.gguf_builder import QWEN as QWEN_GGUF
from tests.unit.tools.planner.gguf_builder import gguf
from tests.unit.tools.planner.test_config_json import QWEN
from tests.unit.tools.planner.test_weights import safetensors

CATALOGUE = load_catalogue()
NOWHERE = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"}


def test_the_catalogue_comes_first_and_asks_nobody() -> None:
    assert resolve_model("qwen2.5-7b-instruct", CATALOGUE, NOWHERE).id == "Qwen/Qwen2.5-7B-Instruct"


def test_a_folder_is_read_from_its_config(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(QWEN))
    (tmp_path / "model.safetensors").write_bytes(safetensors({"t": 55}))
    model = resolve_model(str(tmp_path), CATALOGUE, NOWHERE)
    assert (model.id, model.weight_bytes, model.layers) == (str(tmp_path), 55, 28)


def test_a_gguf_file_and_a_folder_with_one_are_the_same(tmp_path: Path) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(gguf(QWEN_GGUF))
    assert resolve_model(str(file), CATALOGUE, NOWHERE) == resolve_model(str(tmp_path), CATALOGUE, NOWHERE)


def test_of_several_gguf_files_one_has_to_be_named(tmp_path: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).write_bytes(gguf(QWEN_GGUF))
    with pytest.raises(FactsMissing, match=r"a\.gguf, b\.gguf"):
        resolve_model(str(tmp_path), CATALOGUE, NOWHERE)


def test_a_set_of_gguf_files_in_a_folder_is_one_model(tmp_path: Path) -> None:
    for n in (1, 2):
        (tmp_path / f"m-0000{n}-of-00002.gguf").write_bytes(gguf(QWEN_GGUF))
    assert resolve_model(str(tmp_path), CATALOGUE, NOWHERE).weight_bytes == 2 * len(gguf(QWEN_GGUF))


@table(
    ("name", "said"),
    [
        ("missing.gguf", "no such model file"),
        ("/nowhere/at/all", "no such model file"),
        ("./models/none", "no such model file"),
        ("unheard-of", "hayate models"),
        ("a/b/c", "hayate models"),
        ("own/model", "HF_HUB_OFFLINE"),
    ],
)
def test_what_is_nowhere_says_where_it_was_looked_for(name: str, said: str) -> None:
    with pytest.raises(FactsMissing, match=said):
        resolve_model(name, CATALOGUE, NOWHERE)


def test_an_empty_folder_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FactsMissing, match=r"neither a config\.json nor a GGUF"):
        resolve_model(str(tmp_path), CATALOGUE, NOWHERE)


def test_a_name_that_is_neither_here_nor_listed_is_asked_of_the_hub(tmp_path: Path) -> None:
    files = {"own/model": {"config.json": json.dumps(QWEN).encode(), "model.safetensors": bytes(77)}}
    with hub_stand_in(files) as hub:
        model = resolve_model("own/model", CATALOGUE, {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path)})
    assert model.weight_bytes == 77
