"""Limits that others make needless, and names that nobody has; how they are told stands in `test_oddities`."""

from __future__ import annotations

from typing import Any

import pytest

from hayate.config.key_oddities import key_oddities, price_oddities, record_oddities
from hayate.config.models import Config
from tests.support.tables import table

TWO = {
    "qwen": {"backend": "vllm", "model": "Qwen/Qwen3", "replicas": ["http://a"]},
    "gemma": {"backend": "ollama", "replicas": ["http://b"]},
}


def places(**sections: Any) -> list[str]:
    config = Config.model_validate({"deployments": TWO, "aliases": {"fast": "qwen"}, **sections})
    return [".".join(map(str, each.where)) for each in key_oddities(config)]


@table(
    ("limits", "odd"),
    [
        ({"tokens_per_minute": 5, "input_tokens_per_minute": 5, "output_tokens_per_minute": 5}, []),
        ({"tokens_per_minute": 5, "output_tokens_per_minute": 6}, ["limits.output_tokens_per_minute"]),
        ({"concurrency": 8192}, []),
        ({"concurrency": 8193}, ["limits.concurrency"]),
        ({"strict": True}, []),
        (
            {"models": {"fast": {"tokens_per_minute": 1, "input_tokens_per_minute": 2}}},
            ["limits.models.fast.input_tokens_per_minute"],
        ),
        ({"concurrency": 2, "models": {"fast": {"concurrency": 2}}}, []),
        ({"concurrency": 2, "models": {"fast": {"concurrency": 3}}}, ["limits.models.fast.concurrency"]),
        ({"models": {name: {"concurrency": 1} for name in ("default", "fast", "smart", "qwen", "Qwen/Qwen3")}}, []),
        ({"models": {"qwen3": {"concurrency": 1}}}, ["limits.models.qwen3"]),
    ],
)
def test_limits(limits: dict[str, Any], odd: list[str]) -> None:
    assert places(limits=limits) == odd


@table(
    ("sections", "odd"),
    [
        ({}, []),
        ({"currency": "USD", "prices": {"qwen": {"input": 1, "cached_input": 1}, "fast": {"output": 1}}}, []),
        ({"currency": "USD", "prices": {"qwen": {"input": 1, "cached_input": 2}}}, ["prices.qwen.cached_input"]),
        ({"currency": "USD", "prices": {"qwen3": {"input": 1}}}, ["prices.qwen3"]),
        ({"currency": "USD"}, ["currency"]),
        ({"prices": {"gemma": {"input": 1}}}, ["prices"]),
    ],
)
def test_prices(sections: dict[str, Any], odd: list[str]) -> None:
    config = Config.model_validate({"deployments": TWO, "aliases": {"fast": "qwen"}, **sections})
    assert [".".join(map(str, each.where)) for each in price_oddities(config)] == odd


@pytest.mark.parametrize(("days", "odd"), [(1, []), (90, []), (90.5, ["record.content.a1b2c3d4e5f6.days"])])
def test_content_that_outlives_its_call(days: float, odd: list[str]) -> None:
    record = {"content": {"a1b2c3d4e5f6": {"days": days}}}
    config = Config.model_validate({"deployments": TWO, "record": record})
    assert [".".join(map(str, each.where)) for each in record_oddities(config)] == odd
