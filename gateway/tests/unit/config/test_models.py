"""What the configuration accepts is frozen, keeps its secrets, and refuses anything else in words."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hayate.config.load import load_config
from hayate.config.models import Config
from tests.support.tables import table


def test_a_configuration_is_frozen_and_shows_no_secret() -> None:
    config = load_config(env={"BACKEND_API_KEY": "secret-of-the-engine"})
    with pytest.raises(FrozenInstanceError):
        config.server.__setattr__("port", 1)
    with pytest.raises(ValidationError):
        config.data = Path()
    assert "secret-of-the-engine" not in repr(config)
    assert "secret-of-the-engine" not in config.model_dump_json()


@table("values", [None, 7, {}, {"deployments": None}, {"deployments": {"q": None}}, {"aliases": {"a": {"b": 1}}}])
def test_values_of_any_shape_are_refused_and_nothing_else(values: Any) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(values)


@pytest.mark.parametrize("path", ["/health", "/v1/models?limit=1", "none"])
def test_a_probe_is_a_path_of_the_engine_or_none(path: str) -> None:
    config = Config.model_validate({"deployments": {"a": {"backend": "vllm", "replicas": ["http://a"], "probe": path}}})
    assert config.deployments["a"].probe == path


@pytest.mark.parametrize("written", ["auto", 1, 4096])
def test_calls_in_flight_are_a_number_or_found_out(written: object) -> None:
    deployment = {"backend": "vllm", "replicas": ["http://a"], "max_in_flight": written}
    assert Config.model_validate({"deployments": {"a": deployment}}).deployments["a"].max_in_flight == written


@table("path", ["health", "", "http://a/health", "/he alth", "/he\nalth", "/健康", "None"])
def test_what_is_neither_a_path_nor_none_is_no_probe(path: str) -> None:
    with pytest.raises(ValidationError, match=r"deployments\.a\.probe"):
        Config.model_validate({"deployments": {"a": {"backend": "vllm", "replicas": ["http://a"], "probe": path}}})
