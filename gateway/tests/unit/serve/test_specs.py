"""A wrong option is told with its place before anything starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hayate.backends.registry import NAMES, Wanted, make_backend
from hayate.config.load import load_config
from hayate.config.mistakes import ConfigError
from hayate.config.models import Config
from hayate.config.turns import LOADED_OVER_HTTP
from hayate.engines.ports import NoPort, Ports
from hayate.serve.specs import option_mistakes, specs
from tests.support.tables import table
from tests.support.waiting import LAST_RESORT_S

DEPLOYMENT = (
    "deployments:\n  one:\n    backend: {backend}\n    replicas: [http://127.0.0.1:1]\n    options: {options}\n"
)


def configured(backend: str, **options: Any) -> Config:
    return Config.model_validate(
        {"deployments": {"one": {"backend": backend, "replicas": ["http://127.0.0.1:1"], "options": options}}}
    )


@table(
    ("backend", "options", "text"),
    [
        (
            "openai",
            {"num_ctx": 5},
            "deployments.one.options.num_ctx: is not an option of this backend; the only one is responses",
        ),
        ("ollama", {"numctx": 5}, "there are num_ctx, keep_alive"),
        (
            "ollama",
            {"num_ctx": "much"},
            "deployments.one.options.num_ctx: must be a whole number or nothing, not 'much'",
        ),
        ("triton", {}, "deployments.one.options.tokenizer: is needed"),
        ("triton", {"tokenizer": "/nowhere"}, "deployments.one.options.tokenizer: /nowhere is no folder"),
    ],
)
def test_an_adapter_that_can_not_be_made_says_why(backend: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError) as mistake:
        specs(configured(backend, **options), Ports())
    assert text in str(mistake.value)
    [(where, told)] = option_mistakes(configured(backend, **options))
    assert str(mistake.value) == f"{'.'.join(where)}: {told.en}", "it can be known before anything is loaded"


RUN = {
    "deployments": {
        "a": {"backend": "vllm", "run": {"command": ["serve", "{port}"]}},
        "b": {"backend": "llamacpp", "model": "m.gguf", "run": "llamacpp", "load_timeout_s": 5},
        "c": {"backend": "vllm", "replicas": ["http://c", "http://d"]},
    }
}


def test_an_engine_that_is_run_here_has_one_address_and_keeps_it() -> None:
    config, ports = Config.model_validate(RUN), Ports()
    a, b, c = specs(config, ports)
    assert a.replicas == (f"http://127.0.0.1:{ports.of('a')}",)
    assert (b.replicas, b.load_timeout_s) == ((f"http://127.0.0.1:{ports.of('b')}",), 5)
    assert (c.replicas, c.run) == (("http://c", "http://d"), None)
    assert [each.replicas for each in specs(config, ports)] == [each.replicas for each in (a, b, c)]


def test_without_a_free_port_the_configuration_is_refused() -> None:
    class Taken(Ports):
        def of(self, name: str) -> int:
            raise NoPort

    with pytest.raises(ConfigError, match=r"^deployments\.a\.run: no port is free for it on 127"):
        specs(Config.model_validate(RUN), Taken())


@table("backend", [each for each in NAMES if each != "triton"])
def test_what_can_be_loaded_over_http_is_what_the_adapters_can(backend: str) -> None:
    control = make_backend(Wanted(backend, "m")).control("m")
    assert (control is not None) == (backend in LOADED_OVER_HTTP)


def test_a_mistake_in_a_file_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "hayate.yaml"
    path.write_text(
        DEPLOYMENT.format(backend="ollama", options="\n      num_ctx: 5\n      numctx: 5"), encoding="utf-8"
    )
    with pytest.raises(ConfigError) as mistake:
        load_config(path, {}, check=option_mistakes)
    assert str(mistake.value).startswith(f"{path}: line 7: deployments.one.options.numctx: is not an option")


@pytest.mark.parametrize("verb", ["check-config", "serve"])
def test_the_command_says_it_in_one_line(tmp_path: Path, verb: str) -> None:
    path = tmp_path / "hayate.yaml"
    path.write_text(DEPLOYMENT.format(backend="sglang", options="{fast: true}"), encoding="utf-8")
    hayate = Path(sys.executable).with_name("hayate")
    ended = subprocess.run(
        [hayate, verb, "--config", path], check=False, capture_output=True, text=True, timeout=LAST_RESORT_S
    )
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "line 5: deployments.one.options.fast: is not an option" in ended.stderr


def test_a_missing_tokenizer_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    hayate = Path(sys.executable).with_name("hayate")
    env = {"LLM_BACKEND": "triton", "HAYATE_TOKENIZER": "/nowhere", "HAYATE_PORT": "0", "HAYATE_DATA": str(tmp_path)}
    env["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
    ended = subprocess.run(
        [hayate, "serve"], check=False, capture_output=True, text=True, timeout=LAST_RESORT_S, env=env
    )
    assert ended.returncode == 2
    assert (
        ended.stderr
        == "environment: HAYATE_TOKENIZER: /nowhere is no folder; name the one with the tokenizer's files\n"
    )


def test_llama_cpp_that_is_run_here_has_a_key_the_same_after_a_reload() -> None:
    run = {"backend": "llamacpp", "run": "llamacpp", "model": "x.gguf"}
    config = Config.model_validate({"deployments": {"own": run, "given": {**run, "api_key": "mine"}}})
    ports = Ports()
    own, given = specs(config, ports)
    assert len(own.secrets[0]) > 30
    assert given.secrets == [b"mine"]
    assert specs(config, ports)[0].secrets == own.secrets
