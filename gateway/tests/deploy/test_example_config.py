"""config.example.yaml is the reference of every option: it loads, it is complete, and each value in it is the default."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from hayate.backends.registry import _MAKERS
from hayate.config.deployment import BackendName, DeploymentConfig
from hayate.config.load import load_config
from hayate.config.models import Config
from hayate.settings import Gpu, Run
from tests.support.tables import table

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"
TEXT = EXAMPLE.read_text(encoding="utf-8")
VALUES: dict[str, Any] = yaml.safe_load(TEXT)
REQUIRED = {"deployments", "backend", "replicas"}
SHOWN = {"aliases", "model"}
"""Options whose default is nothing and which the example shows in use."""


def fields_of(model: Any) -> dict[str, FieldInfo]:
    """The fields of a model or of a section's dataclass."""
    found: dict[str, FieldInfo] = getattr(model, "__pydantic_fields__")  # noqa: B009
    return found


def options(model: Any, values: dict[str, Any], path: str = "") -> Iterator[tuple[str, str, Any, Any]]:
    """Every option of the model: its path, its name, the default, and what the example has (PydanticUndefined: nothing)."""
    for name, info in fields_of(model).items():
        default, value = info.get_default(call_default_factory=True), values.get(name, PydanticUndefined)
        if dataclasses.is_dataclass(default) and isinstance(value, dict):
            yield from options(type(default), value, f"{path}{name}.")
        else:
            yield f"{path}{name}", name, default, value


def all_options() -> list[tuple[str, str, Any, Any]]:
    deployment = VALUES["deployments"]["qwen-7b"]
    return [*options(Config, VALUES), *options(DeploymentConfig, deployment, "deployments.qwen-7b.")]


def test_it_loads_and_means_what_it_says() -> None:
    config = load_config(EXAMPLE, {})
    assert config.aliases["smart"] == ("qwen-7b",)
    assert config.aliases["default"] == ("qwen-7b",)


@pytest.mark.parametrize(("path", "name", "default", "value"), all_options(), ids=[each[0] for each in all_options()])
def test_every_option_is_there_with_its_default(path: str, name: str, default: Any, value: Any) -> None:
    assert value is not PydanticUndefined, f"config.example.yaml lacks {path}"
    if name in REQUIRED | SHOWN:
        return
    if isinstance(default, tuple):
        value = tuple(value)
    assert value == (str(default) if isinstance(default, Path) else default)


@table("backend", get_args(BackendName))
def test_every_option_of_one_engine_is_there_with_its_default(backend: BackendName) -> None:
    kind, _ = _MAKERS[backend]
    blocks = re.findall(r"^    #   (\w[\w, ]*):(.*\n(?:    #  {10,}.*\n)*)", TEXT, re.MULTILINE)
    written = [
        pair
        for engines, block in blocks
        if backend in engines.split(", ")
        for pair in re.findall(r"^[ #]*(\w+): (\w\S*)", block, re.MULTILINE)
    ]
    assert {name: yaml.safe_load(value) for name, value in written} == {
        each.name: each.default for each in dataclasses.fields(kind)
    }


@table(("kind", "marks"), [(Gpu, "#     "), (Run, "    #   ")])
def test_what_is_shown_in_a_remark_has_every_option_with_its_default(kind: type, marks: str) -> None:
    written = dict(re.findall(rf"^{marks}(\w+): (\S+) ", TEXT, re.MULTILINE))
    for each in dataclasses.fields(kind):
        assert each.name in written
        if each.default is not dataclasses.MISSING:
            assert yaml.safe_load(written[each.name]) == each.default


def test_every_option_is_explained_beside_it() -> None:
    names = {name for _, name, _, _ in all_options()}
    lines = TEXT.split("\n")
    for number, line in enumerate(lines):
        name = line.strip().split(":")[0]
        if name not in names or line.startswith("#"):
            continue
        explained = (
            "#" in line
            or lines[number - 1].strip().startswith("#")
            or name in {"connect_s", "probe_interval_s", "probe_timeout_s"}
        )
        assert explained, f"line {number + 1}: {line}"
