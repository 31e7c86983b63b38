"""What is shown of a configuration: each value with who says it, also of one that was read by a gateway that runs; no secret."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from hayate.config.load import load_config
from hayate.config.shown import Setting, shown

FILE = """\
server: {port: 7000}
deployments:
  qwen:
    backend: vllm
    replicas: ["http://${GPU}:8000"]
    api_key: hush-written
  run:
    backend: openai
    model: m
    run: {command: [serve, --port, "{port}", --key, "${TOKEN}"], env: {A_KEY: hush-env, B: "${TOKEN}", C: plain}}
"""
ENV = {"GPU": "gpu-box", "TOKEN": "hush-variable", "HAYATE_API_KEY": "hush-key-0123456789", "HF_TOKEN": "hush-hub"}


@dataclass
class Told:
    kind: str
    line: int = 0


class Around(Mapping[str, str]):
    """Variables that know where they come from."""

    def __init__(self, origins: Mapping[str, Told]) -> None:
        self._origins = origins

    def __getitem__(self, name: str) -> str:
        return ENV[name]

    def __iter__(self) -> Iterator[str]:
        return iter(ENV)

    def __len__(self) -> int:
        return len(ENV)

    def origin(self, name: str) -> Told | None:
        return self._origins.get(name)


def settings(tmp_path: Path, env: Mapping[str, str], text: str = FILE) -> dict[str, Setting]:
    path = tmp_path / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return {each.name: each for each in shown(load_config(path, env), env)}


def test_a_value_is_told_with_who_says_it(tmp_path: Path) -> None:
    found = settings(tmp_path, ENV)
    told = {name: (each.value, each.source.kind, each.source.line) for name, each in found.items()}
    assert told["server.port"] == (7000, "file", 1)
    assert told["server.host"] == ("127.0.0.1", "default", None)
    assert told["deployments.qwen.replicas"] == (("http://gpu-box:8000",), "file", 5)
    assert told["HAYATE_CONFIG"][1] == "command line"


def test_variables_that_know_where_they_come_from_are_asked(tmp_path: Path) -> None:
    found = settings(tmp_path, Around({"HF_TOKEN": Told("file", 7), "HAYATE_API_KEY": Told("typed")}))
    assert (found["HF_TOKEN"].source.kind, found["HF_TOKEN"].source.line) == (".env", 7)
    assert found["HAYATE_API_KEY"].source.kind == "command line"


def test_no_secret_is_told(tmp_path: Path) -> None:
    found = settings(tmp_path, ENV)
    said = json.dumps([each.as_json() for each in found.values()], default=str)
    assert "hush" not in said
    hidden = {name for name, each in found.items() if each.as_json()["secret"]}
    assert hidden >= {
        "deployments.qwen.api_key",
        "deployments.run.run.env.A_KEY",
        "deployments.run.run.env.B",
        "HF_TOKEN",
    }
    assert found["deployments.run.run.env.C"].as_json()["value"] == "plain"
    assert found["deployments.run.run.command"].value[-1] == "${TOKEN}"


def test_where_it_comes_from_is_no_part_of_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(FILE, encoding="utf-8")
    (tmp_path / "b.yaml").write_text("# the same\n" + FILE, encoding="utf-8")
    first, second = (load_config(tmp_path / name, ENV) for name in ("a.yaml", "b.yaml"))
    assert first == second
    assert (first.sources.path, second.sources.path) == (tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert first.model_copy(update={"preload": ()}).sources is first.sources
