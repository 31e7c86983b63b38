"""A deployment's options are read strictly, and every mistake names its key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

from hayate.backends.ollama_client import OllamaOptions
from hayate.backends.options import NoOptions, OptionError, read_options
from hayate.backends.sglang_client import SGLangOptions
from hayate.backends.triton_client import TritonOptions
from tests.support.tables import table


@dataclass(frozen=True)
class Sample:
    count: int = 1
    share: float | None = None
    mode: Literal["a", "b"] = "a"
    on: bool = False
    name: str | int | None = None


def test_values_are_taken_as_declared() -> None:
    given = {"count": 5, "share": 2, "mode": "b", "on": True, "name": None}
    assert read_options(Sample, given) == Sample(5, 2.0, "b", True, None)
    assert read_options(Sample, {}) == Sample()


def test_a_number_spelled_out_in_the_environment_is_a_number() -> None:
    assert read_options(Sample, {"count": "5", "share": "0.5", "on": "true"}) == Sample(5, 0.5, on=True)
    assert read_options(Sample, {"name": "5"}).name == "5"


@table(
    ("given", "key", "text"),
    [
        ({"counts": 5}, "counts", "there are count, share, mode, on, name"),
        ({"count": "many"}, "count", "a whole number"),
        ({"count": True}, "count", "not True"),
        ({"count": None}, "count", "not None"),
        ({"mode": "c"}, "mode", "one of a, b"),
        ({"on": 1}, "on", "true or false"),
        ({"share": [1]}, "share", "a number or nothing"),
    ],
)
def test_a_mistake_names_its_key(given: dict[str, Any], key: str, text: str) -> None:
    with pytest.raises(OptionError, match=text) as mistake:
        read_options(Sample, given)
    assert mistake.value.key == key


@table(
    ("kind", "given"),
    [
        (NoOptions, {"x": 1}),
        (OllamaOptions, {"num_ctx": 0}),
        (OllamaOptions, {"keep_alive": True}),
        (TritonOptions, {"max_tokens": 0}),
        (TritonOptions, {"text_output": "words"}),
        (SGLangOptions, {"lower_priority_first": "maybe"}),
    ],
)
def test_each_adapter_refuses_what_it_can_not_use(kind: type, given: dict[str, Any]) -> None:
    with pytest.raises(OptionError) as mistake:
        read_options(kind, given)
    assert mistake.value.key in given
