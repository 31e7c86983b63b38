"""A wrong option is told with its place before anything starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hayate.config.load import load_config
from hayate.config.mistakes import ConfigError
from hayate.config.models import Config
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
        specs(configured(backend, **options))
    assert text in str(mistake.value)
    [(where, told)] = option_mistakes(configured(backend, **options))
    assert str(mistake.value) == f"{'.'.join(where)}: {told.en}", "it can be known before anything is loaded"


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
