"""A deployment says where its engine answers, or how it is run: one of the two."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from hayate.config.models import Config
from hayate.settings import LLAMACPP
from tests.support.tables import table

COMMAND = ["serve", "{model}", "--port", "{port}"]


def deployment(**values: Any) -> Any:
    config = Config.model_validate({"deployments": {"a": {"backend": "vllm", **values}}})
    return config.deployments["a"]


def test_a_command_runs_an_engine() -> None:
    found = deployment(model="m", run={"command": COMMAND, "env": {"N": 1}, "stop": "SIGINT", "stop_s": 5})

    assert (found.run.command, found.run.env, found.run.ready) == (tuple(COMMAND), {"N": "1"}, "/health")
    assert (found.run.stop, found.run.stop_s, found.replicas) == ("SIGINT", 5, ())


@pytest.mark.parametrize("written", ["llamacpp", "llama.cpp", "LlamaCpp"])
def test_llamacpp_is_a_word(written: str) -> None:
    assert deployment(backend="llamacpp", model="m", run=written).run == LLAMACPP


@table(
    ("values", "where"),
    [
        ({}, "replicas"),
        ({"replicas": []}, "replicas"),
        ({"replicas": ["http://a"], "run": {"command": ["{port}"]}}, "replicas"),
        ({"backend": "llamacpp", "model": "m", "run": "llamacpp", "replicas": ["http://a"]}, "replicas"),
        ({"run": "llamacpp", "model": "m"}, "run"),
        ({"backend": "llamacpp", "run": "llamacpp"}, "run"),
        ({"backend": "llamacpp", "run": "llamacpp", "model": ""}, "run"),
        ({"run": {"command": COMMAND}}, "run"),
        ({"run": {"command": ["x", "--port", "{port}"], "env": {"M": "{model}"}}}, "run"),
        ({"run": "vllm"}, "run"),
        ({"run": 5}, "run"),
    ],
)
def test_what_says_both_or_neither_or_too_little_is_refused_where_it_stands(values: Any, where: str) -> None:
    with pytest.raises(ValidationError) as found:
        deployment(**values)
    assert [each["loc"] for each in found.value.errors()] == [("deployments", "a", where)]


def test_only_a_command_that_names_the_model_needs_one() -> None:
    assert deployment(run={"command": ["x", "--port", "{port}"]}).model is None


@table(
    ("written", "size_bytes"),
    [("19GiB", 19 * 2**30), ("19 gib", 19 * 2**30), ("19G", 19 * 10**9), ("19.5GB", 195 * 10**8), (2**30, 2**30)],
)
def test_a_size_is_read_as_bytes(written: object, size_bytes: int) -> None:
    assert deployment(replicas=["http://a"], memory=written).memory == size_bytes


@table("written", [24, "24", "24GiB or so", "19,5GiB", "24Gi", 2.5, True, "-1GiB", "", "2000000GiB", "9" * 400, [1]])
def test_what_is_no_size_is_refused_and_so_is_what_nobody_means(written: object) -> None:
    with pytest.raises(ValidationError):
        deployment(replicas=["http://a"], memory=written)


def test_secrets_of_an_engine_are_not_shown() -> None:
    found = deployment(run={"command": ["x", "--key", "s3cret", "{port}"], "env": {"KEY": "s3cret"}})
    assert "s3cret" not in repr(found)
