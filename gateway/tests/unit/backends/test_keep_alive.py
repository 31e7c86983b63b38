"""What Ollama is asked and told, and how its answers are read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hayate.backends.base import Asked
from hayate.backends.keep_alive import KeepAlive
from hayate.backends.ollama_client import OllamaClient
from hayate.backends.registry import Wanted, check_options, make_backend
from hayate.upstream_errors import UpstreamRefused
from hayate.wire.paths import CHAT
from tests.support.tables import table

LISTED = {"models": [{"name": "qwen:latest"}, {"name": "other:7b"}, 7]}


@table(
    ("model", "status", "body", "loaded"),
    [
        ("qwen", 200, LISTED, True),
        ("qwen:latest", 200, LISTED, True),
        ("other:7b", 200, LISTED, True),
        ("other", 200, LISTED, False),
        ("qwen", 200, {"models": []}, False),
        ("qwen", 200, {"models": 7}, None),
        ("qwen", 200, None, None),
        ("qwen", 503, {"models": []}, None),
        (None, 200, {"models": []}, None),
    ],
)
def test_it_lists_what_is_loaded(model: str | None, status: int, body: object, loaded: bool | None) -> None:
    control, raw = KeepAlive(model, 4096), json.dumps(body).encode()
    assert (control.ask().method, control.ask().path) == (b"GET", "/api/ps")
    assert control.read(status, raw) is loaded
    assert control.sleeps(status, raw) is (loaded is False)


def test_no_prompt_loads_a_model_for_ever_and_unloads_it() -> None:
    control = OllamaClient(model="qwen", context_tokens=4096).control(None)
    [load] = control.load(b"")
    [unload] = control.unload()
    told: list[dict[str, Any]] = [json.loads(each.body) for each in (load, unload)]
    assert {load.path, unload.path} == {"/api/generate"}
    assert told[0] == {"model": "qwen", "prompt": "", "stream": False, "keep_alive": -1, "options": {"num_ctx": 4096}}
    assert told[1] == {"model": "qwen", "prompt": "", "stream": False, "keep_alive": 0}


def test_calls_leave_it_to_the_gateway_how_long_a_model_stays_that_it_loads() -> None:
    wanted = Wanted("ollama", "qwen", options={"keep_alive": "30m"}, told_to_load=True)
    [mistake] = check_options(wanted)
    assert (mistake.key, "idle_unload_s or pin" in mistake.english) == ("keep_alive", True)
    backend = make_backend(Wanted("ollama", "qwen", told_to_load=True))
    call = backend.prepare(Asked(CHAT, None, {"messages": [{"role": "user", "content": "a"}]}), "qwen")
    assert b"keep_alive" not in call.request.body


def test_a_model_without_a_name_cannot_be_loaded() -> None:
    control = KeepAlive(None, 4096)
    with pytest.raises(UpstreamRefused, match="set MODEL"):
        control.load(b"")
    with pytest.raises(UpstreamRefused, match="set MODEL"):
        control.unload()
