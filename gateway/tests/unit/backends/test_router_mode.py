"""What llama.cpp's router is asked and told, and how its answers are read."""

from __future__ import annotations

import json

import pytest

from hayate.backends.llamacpp_client import LlamaCppClient
from hayate.backends.router_mode import RouterMode
from hayate.upstream_errors import UpstreamRefused
from tests.support.tables import table

PROPS = {"default_generation_settings": {"n_ctx": 4096}, "total_slots": 4, "is_sleeping": False}


def _error(message: str) -> dict[str, object]:
    return {"error": {"code": 400, "message": message, "type": "invalid_request_error"}}


@table(
    ("status", "body", "loaded", "sleeps"),
    [
        (200, PROPS, True, False),
        (200, {"total_slots": 1}, True, False),
        (200, {**PROPS, "is_sleeping": True}, True, True),
        (200, {"role": "router", "max_instances": 4}, None, False),
        (200, [], None, False),
        (400, _error("model is not loaded"), False, True),
        (400, _error("model 'm' not found"), None, False),
        (503, _error("Loading model"), None, False),
        (500, None, None, False),
    ],
)
def test_it_tells_a_models_properties_if_it_is_loaded(
    status: int, body: object, loaded: bool | None, sleeps: bool
) -> None:
    control, raw = RouterMode("a/b:Q4"), json.dumps(body).encode()
    assert (control.ask().method, control.ask().path) == (b"GET", "/props?model=a%2Fb%3AQ4&autoload=false")
    assert control.read(status, raw) is loaded
    assert control.sleeps(status, raw) is sleeps


def test_its_models_are_loaded_and_unloaded_by_name() -> None:
    control = LlamaCppClient(model="m").control("other")
    told = [*control.load(b""), *control.unload()]
    assert [(each.path, json.loads(each.body)) for each in told] == [
        ("/models/load", {"model": "m"}),
        ("/models/unload", {"model": "m"}),
    ]


def test_a_model_without_a_name_cannot_be_loaded() -> None:
    assert RouterMode(None).ask().path == "/props"
    with pytest.raises(UpstreamRefused, match="set the deployment's model"):
        RouterMode(None).load(b"")


def test_a_child_that_ended_is_told_with_its_status() -> None:
    control = RouterMode("m")
    listed = [
        {"id": "other", "status": {"value": "unloaded", "failed": True, "exit_code": 7}},
        {"id": "long", "aliases": ["m"], "status": {"value": "unloaded", "failed": True, "exit_code": 1}},
    ]
    said = control.read_why(json.dumps({"data": listed}).encode())
    assert control.why().path == "/models"
    assert said is not None
    assert "status 1" in said.en
    odd: object
    for odd in (
        None,
        [],
        {"data": 7},
        {"data": [7, {"id": "m"}, {"id": "m", "status": "loaded"}, {"id": "m", "aliases": 7}]},
    ):
        assert control.read_why(json.dumps(odd).encode()) is None
