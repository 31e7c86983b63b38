"""What follows from a model's numbers, whatever they were read from."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.planner.arithmetic import Attention
from hayate.tools.planner.facts import FactsMissing
from hayate.tools.refusal import Refusal
from tests.support.tables import table
from tests.unit.tools.planner.planned import FULL, facts

SLIDING = Attention(8, 8, 128, 128, window=512)
LINEAR = Attention(24, state_bytes=1000)


@given(st.lists(st.integers(1, 100).map(Attention), max_size=5))
def test_every_layer_that_keeps_something_counts(kinds: list[Attention]) -> None:
    assert facts(attention=tuple(kinds)).layers == sum(kind.layers for kind in kinds)


@table(
    ("attention", "hybrid"),
    [((FULL,), False), ((FULL, FULL), False), ((FULL, SLIDING), True), ((FULL, LINEAR), True), ((SLIDING,), True)],
)
def test_a_model_is_hybrid_when_some_layers_forget(attention: tuple[Attention, ...], hybrid: bool) -> None:
    assert facts(attention=attention).hybrid is hybrid


@table(
    ("weights", "label"),
    [
        ({}, "bf16"),
        ({"dtype": "float16"}, "fp16"),
        ({"dtype": "float32"}, "fp32"),
        ({"dtype": "float8_e4m3fn"}, "float8_e4m3fn"),
        ({"quantisation": "awq"}, "awq"),
        ({"quantisation": "awq", "dtype": "float16"}, "awq"),
        ({"quantisation": "gguf", "variant": "Q4_K_M"}, "gguf Q4_K_M"),
        ({"variant": "A3B"}, "bf16 A3B"),
    ],
)
def test_weights_are_named_in_two_words(weights: dict[str, Any], label: str) -> None:
    assert facts(**weights).label == label


def test_missing_facts_are_told_and_no_traceback() -> None:
    missing = FactsMissing("x: not found", "x: 見つかりません")
    assert isinstance(missing, Refusal)
    assert (missing.text("en"), missing.text("ja")) == ("x: not found", "x: 見つかりません")
