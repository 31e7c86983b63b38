"""How much is run at once, and whether it fits."""

from __future__ import annotations

import dataclasses

import pytest

from hayate.tools.embedded.fit import Need, context_of, need_of, require_memory
from hayate.tools.embedded.refusals import ModelRefused, TooLittleMemory
from hayate.tools.embedded.weights import Weights, tiny
from hayate.tools.planner.arithmetic import GIB

KV_BYTES_PER_TOKEN = 2 * 2 * 2 * 32 * 2
"""Of the tiny model: keys and values, layers, KV heads, head width, f16."""


def with_context(tokens: int) -> Weights:
    weights = tiny()
    return dataclasses.replace(weights, facts=dataclasses.replace(weights.facts, context_tokens=tokens))


def test_the_context_is_4096_or_what_the_model_has() -> None:
    assert context_of(with_context(32768), None) == 4096
    assert context_of(with_context(2048), None) == 2048


def test_a_wished_context_is_kept_up_to_what_the_model_has() -> None:
    assert context_of(with_context(32768), 32768) == 32768
    with pytest.raises(ModelRefused, match="2048 tokens of context, not 4096"):
        context_of(with_context(2048), 4096)


def test_the_need_is_weights_and_the_cache_of_every_slot() -> None:
    need = need_of(tiny(), 4096, 4)
    assert need.weights == tiny().size_bytes
    assert need.cache == 4 * 4096 * KV_BYTES_PER_TOKEN
    assert need.total > need.weights + need.cache


def test_what_fits_is_let_through_and_an_unknown_amount_is_enough() -> None:
    need = Need(GIB, GIB, 0)
    require_memory(tiny(), need, 2 * GIB)
    require_memory(tiny(), need, None)


def test_what_does_not_fit_is_refused_with_both_figures() -> None:
    with pytest.raises(TooLittleMemory) as refusal:
        require_memory(tiny(), Need(4 * GIB, GIB, 0), 2 * GIB)
    for text in (refusal.value.english, refusal.value.japanese):
        assert "5.0 GiB" in text
        assert "2.0 GiB" in text
        assert "\n" not in text
