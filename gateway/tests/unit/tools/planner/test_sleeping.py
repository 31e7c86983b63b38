"""How deep each vLLM sleeps, by what the host's memory holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hayate.tools.planner.arithmetic import GIB
from hayate.tools.planner.facts import ModelFacts
from hayate.tools.planner.host import PER_ENGINE_BYTES, SYSTEM_BYTES, Host
from hayate.tools.planner.sleeping import levels, needed_bytes
from tests.unit.tools.planner.planned import facts

PLAIN, AWQ = facts(weight_bytes=15 * GIB), facts(weight_bytes=18 * GIB, quantisation="awq")
BNB = facts(weight_bytes=18 * GIB, quantisation="bitsandbytes")


def host(gib: float, engines: int = 2) -> Host:
    """A machine that has so much for weights."""
    return Host(int(gib * GIB) + SYSTEM_BYTES + engines * PER_ENGINE_BYTES)


def test_all_weights_at_once_are_counted_because_at_the_start_all_sleep() -> None:
    assert levels([PLAIN, AWQ], host(33)) == (1, 1)
    assert levels([PLAIN, AWQ], host(32.9)) == (2, 1)
    assert needed_bytes([PLAIN, AWQ]) == 33 * GIB


def test_quantised_weights_have_the_memory_first() -> None:
    assert levels([PLAIN, AWQ], host(18)) == (2, 1)
    assert levels([PLAIN, AWQ], host(17)) == (1, 2)
    assert levels([PLAIN, AWQ], host(1)) == (2, 2)


def test_those_that_can_not_be_read_again_have_it_before_all_others_or_can_not_sleep() -> None:
    assert levels([AWQ, BNB], host(18)) == (2, 1)
    assert levels([AWQ, BNB], host(1)) == (2, None)


def test_a_machine_that_does_not_say_is_trusted() -> None:
    assert levels([PLAIN, AWQ], Host(None)) == (1, 1)


@given(st.lists(st.sampled_from((PLAIN, AWQ, BNB)), max_size=5), st.floats(0, 200))
def test_what_sleeps_at_level_1_always_fits(models: list[ModelFacts], gib: float) -> None:
    machine = host(gib, len(models))
    kept = [model for model, level in zip(models, levels(models, machine), strict=True) if level == 1]
    assert needed_bytes(kept) <= (machine.weights_bytes(len(models)) or 0)
