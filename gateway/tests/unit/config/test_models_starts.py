"""What the configuration accepts, starts and serves: every number at its smallest and at its largest."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from hayate.config.deployment import DeploymentConfig
from hayate.config.models import Config
from hayate.config.yaml_file import MAX_NUMBER
from tests.deploy.test_example_config import fields_of
from tests.support.fake_engine import running_engine
from tests.support.gateway import running_gateway
from tests.support.http import fetch
from tests.support.scene import CHAT_PATH, PLAIN

pytestmark = pytest.mark.anyio

NOT_HERE = {"port", "workers"}
"""What the test itself decides, and what this version has one value of."""
SERVING = {"max_in_flight", "max_connections", "max_output_tokens", "context_tokens", "queue_timeout_s"} | {
    "header_timeout_s",
    "body_timeout_s",
    "client_stall_s",
    "connect_s",
    "first_byte_s",
    "total_s",
    "probe_timeout_s",
}
"""At their smallest these refuse calls, as they should."""


def extreme(info: FieldInfo, *, largest: bool) -> float | None:
    """The smallest or largest number that the option takes; None for what is no number."""
    kinds, limits = get_args(info.annotation) or (info.annotation,), info.metadata
    if any(get_origin(each) is Literal for each in kinds[1:]):  # a number or a word
        kinds, limits = get_args(kinds[0])[:1], list(get_args(kinds[0])[1:])
    kind = next((each for each in (int, float) if each in kinds), None)
    if kind is None:
        return None
    low, high = 0.0, float(MAX_NUMBER)
    for limit in limits:
        if isinstance(limit, Ge):
            low = float(limit.ge)  # type: ignore[arg-type]
        elif isinstance(limit, Gt):
            low = float(limit.gt) + (1 if kind is int else 1e-3)  # type: ignore[arg-type]
        elif isinstance(limit, Le):
            high = float(limit.le)  # type: ignore[arg-type]
        elif isinstance(limit, Lt):
            high = float(limit.lt) - 1  # type: ignore[arg-type]
    return kind(high if largest else low)


def extremes(model: type, *, largest: bool) -> Iterator[tuple[str, Any]]:
    for name, info in fields_of(model).items():
        if dataclasses.is_dataclass(info.annotation):
            yield name, dict(extremes(info.annotation, largest=largest))
        elif name not in NOT_HERE and (largest or name not in SERVING):
            value = extreme(info, largest=largest)
            if value is not None:
                yield name, value


@pytest.mark.parametrize("largest", [True, False], ids=["every number at its largest", "every number at its smallest"])
async def test_a_gateway_starts_with_it_and_answers(largest: bool) -> None:
    async with running_engine() as engine:
        deployment = dict(extremes(DeploymentConfig, largest=largest))
        deployment |= {"backend": "vllm", "model": engine.model, "replicas": [engine.url]}
        values = {**dict(extremes(Config, largest=largest)), "deployments": {"a": deployment}}
        async with running_gateway(config=json.dumps(values)) as gateway:
            for path in ("/health", "/readyz", "/v1/models"):
                assert (await fetch(gateway.url, path, key=gateway.key)).status in (200, 503)
            reply = await fetch(gateway.url, CHAT_PATH, PLAIN, key=gateway.key)
            assert reply.status < 500 or reply.json["error"]["code"] in ("overloaded", "timeout", "upstream_error")
