"""A command is a list of arguments, with placeholders for what the gateway knows."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from hayate.config.running import GpuConfig, RunConfig
from hayate.settings import Gpu
from tests.support.tables import table

RUN = TypeAdapter(RunConfig)


def test_numbers_are_arguments_as_they_are_written() -> None:
    run = RUN.validate_python({"command": ["serve", "--port", "{port}", "--ctx-size", 4096, 0.5]})
    assert run.command == ("serve", "--port", "{port}", "--ctx-size", "4096", "0.5")


def test_the_port_may_stand_in_a_variable() -> None:
    assert not RUN.validate_python(
        {"command": ["ollama", "serve"], "env": {"OLLAMA_HOST": "127.0.0.1:{port}"}}
    ).needs_model
    assert RUN.validate_python({"command": ["x", "{port}"], "env": {"M": "{model}"}}).needs_model


@table(
    ("values", "place"),
    [
        ({}, ("command",)),
        ({"command": []}, ("command",)),
        ({"command": "serve --port {port}"}, ("command",)),
        ({"command": ["serve", "--port", "8000"]}, ()),
        ({"command": ["{{port}}"]}, ()),
        ({"command": ["{port}", "{prot}"]}, ("command", 1)),
        ({"command": ["{port}", '{"a": 1}']}, ("command", 1)),
        ({"command": ["{port}", None]}, ("command", 1)),
        ({"command": ["{port}", True]}, ("command", 1)),
        ({"command": ["{port}"] * 2000}, ("command",)),
        ({"command": ["{port}"], "env": {"A-B": "1"}}, ("env", "A-B", "[key]")),
        ({"command": ["{port}"], "env": {"A": "{home}"}}, ("env", "A")),
        ({"command": ["{port}"], "ready": "health"}, ("ready",)),
        ({"command": ["{port}"], "ready": "none"}, ("ready",)),
        ({"command": ["{port}"], "stop": "SIGKILL"}, ("stop",)),
        ({"command": ["{port}"], "stop_s": 0}, ("stop_s",)),
        ({"command": ["{port}"], "shell": True}, ("shell",)),
    ],
)
def test_what_can_t_be_run_is_refused_where_it_stands(values: Any, place: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as found:
        RUN.validate_python(values)
    assert [each["loc"] for each in found.value.errors()] == [place]


def test_a_gpu_has_its_memory_and_its_terms() -> None:
    found = TypeAdapter(GpuConfig).validate_python({"memory": "24GiB", "quantum_s": 5})
    assert found.memory == 24 * 2**30
    assert (found.quantum_s, found.max_wait_s) == (5, Gpu.max_wait_s)
