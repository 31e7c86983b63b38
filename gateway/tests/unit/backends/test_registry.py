"""Every backend name makes its adapter."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from hayate.backends.registry import NAMES, Wanted, check_options, make_backend
from hayate.config.deployment import BackendName
from tests.support.tables import table

TOKENIZER = str(Path(__file__).parents[4] / "llm/tiny/tiny-qwen2")


def test_the_configuration_knows_the_same_names() -> None:
    assert set(NAMES) == set(get_args(BackendName))


@table("name", NAMES)
def test_every_backend_has_an_adapter_of_its_name(name: str) -> None:
    wanted = Wanted(name, options={"tokenizer": TOKENIZER} if name == "triton" else {})
    check_options(wanted)
    assert make_backend(wanted).name == name
