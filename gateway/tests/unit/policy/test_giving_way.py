"""Whose memory is whose at one moment."""

from __future__ import annotations

from hayate.policy.giving_way import Room
from hayate.policy.tenant import GpuTerms, State, Tenant
from tests.support.tenants import terms

GPUS = {"one": GpuTerms(10, 15.0, 60.0), "two": GpuTerms(10, 15.0, 60.0)}


def tenant(name: str, state: State, **needs: int) -> Tenant:
    made = Tenant(terms(name, needs), 0.0)
    made.turn(state, "asked", 0.0)
    return made


def test_those_are_spared_whose_memory_would_not_help() -> None:
    small, large, other = (
        tenant("small", State.READY, one=3),
        tenant("large", State.READY, one=6),
        tenant("other", State.READY, two=9),
    )
    small.used_at, large.used_at = 1.0, 2.0
    wants = tenant("wants", State.UNLOADED, one=6)
    wants.oldest_at = 5.0
    assert Room([small, large, other], GPUS, 100.0).make(wants, due=False) == [large]
